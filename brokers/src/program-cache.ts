import { existsSync, globSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { lock } from './lock.ts'
import { scratch } from './scratch.ts'

/**
 * The folder of programs that `install` made once for all processes on this machine; it appears
 * only when it is whole. Several who ask at the same time wait for the first.
 */
export async function cachedProgram(
  name: string,
  install: (dir: string) => Promise<void>,
): Promise<string> {
  const dir = scratch('programs', name)
  if (existsSync(dir)) return dir
  mkdirSync(scratch('programs'), { recursive: true })
  const unlock = await lock(`${dir}.lock`)
  try {
    if (existsSync(dir)) return dir
    for (const left of globSync(`${dir}.*.unfinished`))
      rmSync(left, { recursive: true, force: true })
    // Not a name that was used before: what a dead process has begun may still write there.
    const unfinished = `${dir}.${process.pid}.unfinished`
    mkdirSync(unfinished)
    await install(unfinished)
    renameSync(unfinished, dir)
    return dir
  } finally {
    unlock()
  }
}
