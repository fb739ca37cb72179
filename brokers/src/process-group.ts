import { spawn } from 'node:child_process'
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { until } from './until.ts'

/** A process and all that it started, in a group of their own; to be found again by what this says. */
export interface ProcessGroup {
  /** Of the leader, and so of the group. */
  readonly pid: number
  /** When the leader started, in ticks since boot: a number used again is not it. */
  readonly startedAt: string
}

/** How to start a group. */
export interface SpawnOptions {
  readonly cwd: string
  readonly env: Readonly<Record<string, string>> | undefined
  /** Gets all that the processes write. */
  readonly logFile: string
}

/** Starts a command as the leader of a new group, in a session of its own. */
export async function spawnGroup(
  [command, ...args]: readonly [string, ...string[]],
  { cwd, env, logFile }: SpawnOptions,
  onSpawn: (pid: number) => void,
): Promise<ProcessGroup> {
  const log = openSync(logFile, 'a')
  try {
    const child = spawn(command, args, {
      cwd,
      detached: true,
      env: { ...process.env, ...env },
      stdio: ['ignore', log, log],
    })
    child.unref()
    // With a pid, nothing later than this line can lose sight of it.
    if (child.pid !== undefined) onSpawn(child.pid)
    await new Promise((resolve, reject) => {
      child.once('spawn', resolve).once('error', reject)
    })
    return { pid: child.pid!, startedAt: processEntry(child.pid!)?.startedAt ?? '' }
  } finally {
    closeSync(log)
  }
}

/** True while the leader runs. */
export function isRunning(group: ProcessGroup): boolean {
  return processEntry(group.pid)?.startedAt === group.startedAt
}

/** Ends the group and resolves when none of it is left: by SIGTERM to the leader first, if so wished. */
export async function endGroup(
  group: ProcessGroup,
  signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL',
): Promise<void> {
  if (signal === 'SIGTERM' && isRunning(group)) {
    send(group.pid, 'SIGTERM')
    await until(() => !isRunning(group), 15_000)
  }
  if (!(await until(() => endMembers(group), 15_000))) {
    throw new Error(`process group ${group.pid} is still there after SIGKILL`)
  }
}

/** Sends a signal to the leader alone. */
export function signalLeader(group: ProcessGroup, signal: NodeJS.Signals): void {
  if (isRunning(group)) send(group.pid, signal)
}

function endMembers(group: ProcessGroup): boolean {
  // The number may lead another group by now.
  const leader = processEntry(group.pid)
  if (leader !== undefined && leader.startedAt !== group.startedAt) return true
  const members = readdirSync('/proc').filter((entry) => {
    return /^\d+$/.test(entry) && processEntry(Number(entry))?.group === group.pid
  })
  for (const member of members) send(Number(member), 'SIGKILL')
  return members.length === 0
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    // It has ended meanwhile.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

interface ProcessEntry {
  readonly group: number
  readonly startedAt: string
}

/** What the kernel says of a process, unless it has ended. */
function processEntry(pid: number): ProcessEntry | undefined {
  try {
    // The command's name, in parentheses, may have spaces and parentheses itself.
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    // A zombie whose other threads are still ending has its ports open.
    const [state, threads] = [fields[0]!, Number(fields[17])]
    if ('ZX'.includes(state) && threads <= 1) return undefined
    return { group: Number(fields[2]), startedAt: fields[19]! }
  } catch {
    return undefined
  }
}
