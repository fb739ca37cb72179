import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
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
    const unfinished = `${dir}.unfinished`
    rmSync(unfinished, { recursive: true, force: true })
    mkdirSync(unfinished)
    await install(unfinished)
    renameSync(unfinished, dir)
    return dir
  } finally {
    unlock()
  }
}
