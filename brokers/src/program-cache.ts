import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
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

/** The kernel's own lock, held by a child whose input we keep open: whoever dies lets go of it. */
async function lock(file: string): Promise<() => void> {
  const holder = spawn('flock', [file, 'sh', '-c', 'echo locked; read -r _'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  })
  const failed = once(holder, 'exit').then(([code]) => {
    throw new Error(`cannot lock ${file}: flock ended with ${code}`)
  })
  await Promise.race([once(holder.stdout, 'data'), failed])
  failed.catch(() => {}) // it ends with an error code when it is unlocked
  return () => holder.stdin.end()
}
