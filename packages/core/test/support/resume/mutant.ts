import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Streamer } from '../../../src/index.ts'
import type { Kind } from './plan.ts'

const CORE = fileURLToPath(new URL('../../../', import.meta.url))

/** A rule taken out of the source, and a plan that breaks without it. */
export interface Mutation {
  readonly rule: string
  /** Below the folder of the sources. */
  readonly file: string
  /** Must be found in the file exactly once. */
  readonly text: string
  readonly without: string
  readonly kind: Kind
  readonly seed: number
}

/** Loads a Streamer from a copy of the sources in which one rule is missing. The copy is gone when it resolves. */
export async function streamerWithout({
  rule,
  file,
  text,
  without,
}: Omit<Mutation, 'kind' | 'seed'>): Promise<typeof Streamer> {
  const copy = await mkdtemp(join(tmpdir(), 'asbru-mutant-'))
  try {
    await cp(join(CORE, 'src'), join(copy, 'src'), { recursive: true })
    await symlink(join(CORE, 'node_modules'), join(copy, 'node_modules'))
    await writeFile(join(copy, 'package.json'), '{"type":"module"}')
    const path = join(copy, 'src', file)
    const parts = (await readFile(path, 'utf8')).split(text)
    if (parts.length !== 2) throw new Error(`${rule}: found ${parts.length - 1} times: ${text}`)
    await writeFile(path, parts.join(without))
    const entry = pathToFileURL(join(copy, 'src', 'index.ts')).href
    const loaded = (await import(/* @vite-ignore */ entry)) as { Streamer: typeof Streamer }
    return loaded.Streamer
  } finally {
    await rm(copy, { recursive: true })
  }
}
