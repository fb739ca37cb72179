import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import type { Faults } from './order-check.ts'
import { onCore } from './pinning.ts'

/** A program that opens event streams, publishes, and counts. */
export interface SinkProgram {
  readonly name: 'C' | 'Node'
  readonly command: readonly string[]
}

/** What a sink has counted: times and rates while it measured, faults from first to last. */
export interface SinkCounts extends Faults {
  readonly seconds: number
  readonly deliveries: number
  readonly reads: number
  readonly cpuSeconds: number
  readonly sent: number
}

/** What a sink is to do. */
export interface SinkTask {
  readonly port: number
  readonly feedPort: number
  readonly path: string
  readonly connections: number
  /** Number of the first of them. @default 0 */
  readonly first?: number
  readonly window: number
  readonly warmupSeconds: number
  readonly seconds: number
}

/** The sink that runs anywhere. */
export const nodeSink: SinkProgram = {
  name: 'Node',
  command: [process.execPath, '--no-warnings', new URL('node-sink.ts', import.meta.url).pathname],
}

/** Compiles the C sink, if there is a compiler and an epoll. */
export function compileSink(): SinkProgram | undefined {
  const source = new URL('../sink/sink.c', import.meta.url).pathname
  const folder = new URL('../node_modules/.cache/', import.meta.url).pathname
  const program = `${folder}sink`
  mkdirSync(folder, { recursive: true })
  const compiled = spawnSync('gcc', ['-O2', '-o', program, source], { stdio: 'ignore' })
  return compiled.status === 0 ? { name: 'C', command: [program] } : undefined
}

/** A running sink, on core 1. */
export class Sink {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #lines: AsyncIterator<string>

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>) {
    this.#child = child
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  }

  /** Starts it; resolves once all its connections are open. */
  static async connect(program: SinkProgram, task: SinkTask): Promise<Sink> {
    const { port, feedPort, connections, first = 0, path } = task
    const { window, warmupSeconds, seconds } = task
    const numbers = [port, feedPort, connections, first, window, warmupSeconds, seconds]
    const [command, args] = onCore(1, [...program.command, ...numbers.map(String), path])
    const sink = new Sink(spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] }))
    await sink.#line('connected')
    return sink
  }

  /** Lets it measure. The functions are called when that begins and ends. */
  async measure(onBegin: () => Promise<void>, onEnd: () => Promise<void>): Promise<SinkCounts> {
    this.#child.stdin.write('go\n')
    await this.#line('measuring')
    await onBegin()
    await this.#line('measured')
    await onEnd()
    return JSON.parse(await this.#line()) as SinkCounts
  }

  /** Closes its connections. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return
    const exit = once(this.#child, 'exit')
    this.#child.stdin.end()
    await exit
  }

  async #line(expected?: string): Promise<string> {
    const { value, done } = await this.#lines.next()
    if (done || (expected !== undefined && value !== expected)) {
      throw new Error(
        `The sink said ${JSON.stringify(value)} instead of ${expected ?? 'a result'}.`,
      )
    }
    return value
  }
}
