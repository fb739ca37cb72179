import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createInterface } from 'node:readline'

/** A running example. */
export interface RunningExample {
  /** Where it listens, with a slash at the end. */
  readonly url: string
  /** Asks it to stop, and resolves with its exit code. */
  stop(): Promise<number | null>
}

/** Starts `examples/<path>` on a free port, and waits for the address that it prints. */
export async function startExample(path: string): Promise<RunningExample> {
  const file = fileURLToPath(new URL(`../${path}`, import.meta.url))
  const child = spawn(process.execPath, ['--conditions=@asbru/source', file], {
    env: { ...process.env, PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return { url: await firstLine(child), stop: () => stop(child) }
}

async function firstLine(child: ChildProcess): Promise<string> {
  const lines = createInterface({ input: child.stdout! })
  for await (const line of lines) if (line.startsWith('http://')) return line
  throw new Error(`The example ended with ${child.exitCode} before it printed its address.`)
}

async function stop(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null) return child.exitCode
  child.kill('SIGTERM')
  await once(child, 'exit')
  return child.exitCode
}
