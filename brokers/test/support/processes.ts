import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** The pids of all processes that work in a folder, or name it in their command or environment. */
export function processesIn(dir: string): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .filter((entry) => {
      try {
        const about = ['cmdline', 'environ'].map((file) => readFileSync(`/proc/${entry}/${file}`))
        return [readlinkSync(`/proc/${entry}/cwd`), ...about].join('\n').includes(dir)
      } catch {
        return false // it has just ended
      }
    })
    .map(Number)
}
