import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

/** How `asbru` is started. */
export interface AsbruOptions {
  /** Its environment, beside what a process cannot do without. */
  readonly env?: Readonly<Record<string, string>>
  /** What it reads from stdin. @default nothing */
  readonly stdin?: string
  /** Arguments for Node itself. */
  readonly nodeArgs?: readonly string[]
}

/** How a process ended, and what it wrote. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A running `asbru`; it is killed when the test is over. */
export class Asbru {
  readonly ended: Promise<Ended>
  stdout = ''
  stderr = ''
  readonly #child: ChildProcess
  readonly #watchers = new Set<() => void>()

  constructor(args: readonly string[], { env = {}, stdin = '', nodeArgs = [] }: AsbruOptions = {}) {
    const child = spawn(
      process.execPath,
      ['--conditions=@asbru/source', ...nodeArgs, main, ...args],
      { env: { PATH: process.env['PATH'], ...env }, stdio: 'pipe' },
    )
    this.#child = child
    child.stdin.on('error', () => {})
    child.stdin.end(stdin)
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
      this.#tell()
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
      this.#tell()
    })
    this.ended = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr })
        this.#tell()
      })
    })
    onTestFinished(async () => {
      child.kill('SIGKILL')
      await this.ended
    })
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Resolves with what `stream` first matches. */
  async says(stream: 'stdout' | 'stderr', what: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = what.exec(this[stream])
      if (match !== null) return match
      if (!this.running) {
        await this.ended
        const last = what.exec(this[stream])
        if (last !== null) return last
        throw new Error(`asbru ended without ${what} on ${stream}: ${this.stdout}${this.stderr}`)
      }
      await new Promise<void>((resolve) => {
        this.#watchers.add(resolve)
      })
    }
  }

  /** The lines of stdout, each parsed as JSON, once there are `count`. */
  async lines(count: number): Promise<unknown[]> {
    await this.says('stdout', new RegExp(`^(.*\n){${count}}`))
    return this.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown)
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Stops reading what it prints, as `head -1` does. */
  closeStdout(): void {
    this.#child.stdout?.destroy()
  }

  #tell(): void {
    const watchers = [...this.#watchers]
    this.#watchers.clear()
    for (const watcher of watchers) watcher()
  }
}

/** Runs a command to its end. */
export function run(args: readonly string[], options?: AsbruOptions): Promise<Ended> {
  return new Asbru(args, options).ended
}

/** A relay that serves, on free ports. */
export interface ServingAsbru {
  readonly asbru: Asbru
  /** URL of the event stream. */
  readonly events: string
  /** URL of the HTTP API. */
  readonly api: string
  /** Origin of the internal listener. */
  readonly internal: string
}

/** Starts `asbru serve` on free ports, or those in `args`, and resolves once it serves. */
export async function serve(
  args: readonly string[] = [],
  options?: AsbruOptions,
): Promise<ServingAsbru> {
  const asbru = new Asbru(['serve', '--port', '0', '--internal-port', '0', ...args], options)
  const [line] = await asbru.says('stdout', /^.*\n/)
  const { listening } = JSON.parse(line) as { listening: { events: string; api: string } }
  return { asbru, ...listening, internal: new URL(listening.api).origin }
}

/** Posts JSON, and resolves with the JSON of the answer. */
export async function post(url: string, body: unknown): Promise<{ id: string }> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`)
  return (await response.json()) as { id: string }
}
