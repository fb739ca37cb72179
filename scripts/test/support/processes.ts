import { execFileSync } from 'node:child_process'

interface ProcessRow {
  pid: number
  parent: number
  state: string
}

/** Process ids of all that a process started, directly or not. */
export function descendants(pid: number): number[] {
  const rows = processes()
  const found = [pid]
  for (const ancestor of found) {
    found.push(...rows.filter(({ parent }) => parent === ancestor).map((row) => row.pid))
  }
  return found.slice(1)
}

/** Those of the given processes that still run; one that only waits to be reaped does not. */
export function stillRunning(pids: readonly number[]): number[] {
  return processes()
    .filter(({ pid, state }) => pids.includes(pid) && !state.startsWith('Z'))
    .map(({ pid }) => pid)
}

function processes(): ProcessRow[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,stat='], { encoding: 'utf8' })
  return lines
    .trim()
    .split('\n')
    .map((line) => {
      const [pid = '', parent = '', state = ''] = line.trim().split(/\s+/)
      return { pid: Number(pid), parent: Number(parent), state }
    })
}
