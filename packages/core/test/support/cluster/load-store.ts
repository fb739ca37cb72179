import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { DORMANT_MS, TOMBSTONE_MS } from './schedule.ts'
import type { MakeStore } from './simulation.ts'
import type * as storeModule from '../../../src/cluster/replicated-client-store.ts'

/** A place in the source of the store, and what stands there instead. */
export interface Replacement {
  readonly file: string
  /** Must be found in the file exactly once. */
  readonly text: string
  readonly by: string
}

const SOURCE = fileURLToPath(new URL('../../../src/cluster/', import.meta.url))

/** Limits so low that a schedule reaches them, as a cluster of many clients does. */
const LOW_LIMITS: readonly Replacement[] = [
  { file: 'channel.ts', text: 'const KEPT_MESSAGES = 2_000', by: 'const KEPT_MESSAGES = 12' },
  { file: 'snapshots.ts', text: 'const PART_LENGTH = 64 * 1024', by: 'const PART_LENGTH = 400' },
]

/**
 * Loads a copy of the store with the given replacements, and with limits that are low unless it is to keep its own. The copy
 * is gone when it resolves.
 * @throws {Error} if a text is not found exactly once
 */
export async function loadStore(
  replacements: readonly Replacement[] = [],
  limits: 'low' | 'own' = 'low',
): Promise<MakeStore> {
  const copy = await mkdtemp(join(tmpdir(), 'asbru-store-'))
  try {
    const sources = new Map<string, string>()
    for (const name of await readdir(SOURCE)) {
      sources.set(name, await readFile(join(SOURCE, name), 'utf8'))
    }
    const all = limits === 'low' ? [...LOW_LIMITS, ...replacements] : replacements
    for (const replacement of all) replace(sources, replacement)
    for (const [name, source] of sources) {
      await writeFile(join(copy, name), withAbsoluteImports(source))
    }
    const entry = pathToFileURL(join(copy, 'replicated-client-store.ts')).href
    const loaded = (await import(/* @vite-ignore */ entry)) as typeof storeModule
    return () => loaded.replicatedClientStore({ tombstoneMs: TOMBSTONE_MS, dormantMs: DORMANT_MS })
  } finally {
    await rm(copy, { recursive: true })
  }
}

function replace(sources: Map<string, string>, { file, text, by }: Replacement): void {
  const parts = sources.get(file)?.split(text) ?? []
  if (parts.length !== 2) {
    throw new Error(`${file} has this ${Math.max(parts.length - 1, 0)} times, not once: ${text}`)
  }
  sources.set(file, parts.join(by))
}

/** What is not copied is the one that the tests themselves use. */
function withAbsoluteImports(source: string): string {
  return source.replaceAll(
    /from '(\.\.\/[^']*)'/g,
    (_, path: string) => `from '${pathToFileURL(join(SOURCE, path)).href}'`,
  )
}
