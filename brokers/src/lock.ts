import { spawn } from 'node:child_process'
import { once } from 'node:events'

/**
 * Waits for a lock that all processes on this machine share; resolves with what releases it. It is the
 * kernel's, and a child holds it as long as we keep its input open: whoever dies lets go of it.
 */
export async function lock(file: string): Promise<() => void> {
  const holder = spawn('flock', [file, 'sh', '-c', 'echo locked; read -r _'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true, // Ctrl-C is for us
  })
  const failed = Promise.race([once(holder, 'error'), once(holder, 'exit')]).then(([reason]) => {
    throw new Error(`cannot lock ${file}: flock says ${String(reason)}`)
  })
  await Promise.race([once(holder.stdout, 'data'), failed])
  failed.catch(() => {}) // it ends with an error code when it is unlocked
  return () => holder.stdin.end()
}
