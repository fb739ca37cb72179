import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** What a command wrote, and how it ended. */
interface Finished {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Where and with which changed environment a command runs. */
interface RunOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

/** Runs a command to its end; a command that does not exist has the code 127. */
export function run(
  command: string,
  args: readonly string[],
  { cwd, env }: RunOptions = {},
): Promise<Finished> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (bytes) => (stdout += bytes))
    child.stderr.on('data', (bytes) => (stderr += bytes))
    child.once('error', (error) => resolve({ code: 127, stdout, stderr: error.message }))
    child.once('close', (code) => resolve({ code: code ?? 128, stdout, stderr }))
  })
}

/** Runs a command whose failure is the end: throws with the last lines that it wrote. */
export async function mustRun(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, options)
  if (code === 0) return stdout
  const said = `${stdout}\n${stderr}`.trim().split('\n').slice(-5).join('\n')
  throw new Error(`${command} ${args.slice(0, 2).join(' ')} failed (${code}):\n${said}`)
}

/** The full path of a program on the PATH. */
export function findProgram(name: string): string | undefined {
  // Servers are often in sbin, which is not on the PATH of ordinary users.
  const dirs = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin']
  return dirs.map((dir) => join(dir, name)).find((file) => existsSync(file))
}
