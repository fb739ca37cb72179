import { spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'

/** Whether processes can be tied to a core here. */
export const canPin: boolean =
  availableParallelism() > 1 && spawnSync('taskset', ['-c', '0,1', 'true']).status === 0

/** The command line that runs `command` on one core only, where that can be had. */
export function onCore(core: number, command: readonly string[]): [string, string[]] {
  const [program, ...rest] = canPin ? ['taskset', '-c', String(core), ...command] : command
  return [program!, rest]
}
