import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connectionsOf } from './api.ts'
import { onCore } from './pinning.ts'

/** What a server process can be asked, and what it answers with. */
export interface Answers {
  /** Makes what connections need that are to come. */
  prepare: true
  receivers: number
  /** Processor time since the start. */
  cpuSeconds: number
  /** Memory in use, after a collection if the process was started with `exposeGc`. */
  rssBytes: number
}

/** What is sent to a server process. */
export interface Question {
  readonly kind: keyof Answers
  /** For `prepare`. */
  readonly range?: Range
}

/** What a server process says first. */
export interface Hello {
  readonly port: number
  readonly feedPort: number
  readonly path: string
  readonly api?: string
}

/** Connections by their numbers. */
export interface Range {
  readonly connections: number
  readonly first: number
}

/** A contestant's process, on core 0. */
export class ServerProcess {
  readonly port: number
  readonly feedPort: number
  readonly path: string
  /** Root of its HTTP API, if it has one. */
  readonly #api: string | undefined
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, { port, feedPort, path, api }: Hello) {
    this.#child = child
    this.port = port
    this.feedPort = feedPort
    this.path = path
    this.#api = api
  }

  /** Starts it. `nodeFlags` are for Node itself, e.g. `--expose-gc`. */
  static async start(name: string, nodeFlags: readonly string[] = []): Promise<ServerProcess> {
    const script = new URL('server-process.ts', import.meta.url).pathname
    const flags = ['--conditions=@asbru/source', '--no-warnings', ...nodeFlags]
    const [program, args] = onCore(0, [process.execPath, ...flags, script, name])
    const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    return new ServerProcess(child, (await message(child)) as Hello)
  }

  /** Asks one question at a time. */
  async ask<Kind extends keyof Answers>(kind: Kind, range?: Range): Promise<Answers[Kind]> {
    const question: Question = { kind, ...(range !== undefined && { range }) }
    this.#child.send(question)
    return (await message(this.#child)) as Answers[Kind]
  }

  /** Makes what connections need before they come. */
  async prepare(range: Range): Promise<void> {
    await this.ask('prepare', range)
  }

  /** Resolves once everything published reaches so many. */
  async hasReceivers(connections: number): Promise<void> {
    while ((await this.#receivers()) < connections);
  }

  #receivers(): Promise<number> {
    return this.#api === undefined ? this.ask('receivers') : connectionsOf(this.#api)
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exit = once(this.#child, 'exit')
    this.#child.disconnect()
    await exit
  }
}

async function message(child: ChildProcess): Promise<unknown> {
  const over = new AbortController()
  try {
    const { signal } = over
    const [first] = (await Promise.race([
      once(child, 'message', { signal }),
      once(child, 'exit', { signal }).then(([code]) => {
        throw new Error(`A server process ended with exit code ${String(code)}.`)
      }),
    ])) as [unknown]
    return first
  } finally {
    over.abort()
  }
}
