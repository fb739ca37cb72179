import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync } from 'node:fs'
import { scratch } from './scratch.ts'

/**
 * Each line of its input is the list of all groups that run. When the input ends, this process is
 * gone, however it ended: then it kills the last list's groups, and removes their folder.
 */
const script = `
while read -r line; do groups=$line; done
for group in $groups; do kill -s KILL -- -"$group" 2>/dev/null; done
for attempt in 1 2 3 4 5 6 7 8 9 10; do rm -rf -- "$0" && break; sleep 0.1; done
`

let reaper: { readonly dir: string; readonly child: ChildProcess } | undefined
const groups = new Set<number>()

/** The folder for the instances of this process; what is in it does not outlive the process. */
export function mortalDir(): string {
  return (reaper ??= startReaper()).dir
}

/** Has the group killed when this process ends, however that happens. */
export function endWithUs(pid: number): void {
  groups.add(pid)
  tell()
}

/** The group is gone, and its number may be used again; or it is to outlive us. */
export function forget(pid: number): void {
  groups.delete(pid)
  tell()
}

function tell(): void {
  reaper ??= startReaper()
  reaper.child.stdin!.write(`${[...groups].join(' ')}\n`)
}

function startReaper(): { dir: string; child: ChildProcess } {
  mkdirSync(scratch('instances'), { recursive: true })
  const dir = mkdtempSync(scratch('instances', `${process.pid}-`))
  // In a session of its own: Ctrl-C must not end it first.
  const child = spawn('sh', ['-c', script, dir], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  child.unref()
  ;(child.stdin as unknown as { unref(): void }).unref()
  return { dir, child }
}
