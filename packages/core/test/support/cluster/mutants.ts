import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** A rule taken out of the source, and a schedule that breaks without it. */
export interface Mutation {
  readonly rule: string
  readonly file: string
  /** Must be found in the file exactly once. */
  readonly text: string
  readonly without: string
  readonly seed: number
}

/** Loads a copy of the modules of `folder` in which one rule is missing. The copy is gone when it resolves. */
export async function loadWithout(
  { rule, file, text, without }: Omit<Mutation, 'seed'>,
  folder: string,
  entry: string,
): Promise<Record<string, unknown>> {
  const copy = await mkdtemp(join(tmpdir(), 'asbru-mutant-'))
  try {
    const names = await readdir(folder)
    if (!names.includes(file)) throw new Error(`${rule}: there is no ${file}.`)
    for (const name of names.filter((each) => each.endsWith('.ts'))) {
      let source = await readFile(join(folder, name), 'utf8')
      if (name === file) source = replaceOnce(source, { rule, text, without })
      await writeFile(join(copy, name), withAbsoluteImports(source, folder))
    }
    return (await import(/* @vite-ignore */ pathToFileURL(join(copy, entry)).href)) as never
  } finally {
    await rm(copy, { recursive: true })
  }
}

function replaceOnce(
  source: string,
  { rule, text, without }: Pick<Mutation, 'rule' | 'text' | 'without'>,
): string {
  const parts = source.split(text)
  if (parts.length !== 2) throw new Error(`${rule}: found ${parts.length - 1} times: ${text}`)
  return parts.join(without)
}

/** What is not copied is the one that the tests themselves use. */
function withAbsoluteImports(source: string, folder: string): string {
  return source.replaceAll(
    /from '(\.\.\/[^']*)'/g,
    (_, path: string) => `from '${pathToFileURL(join(folder, path)).href}'`,
  )
}
