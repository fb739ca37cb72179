import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface, type Interface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../../../packages/server/src/main.ts', import.meta.url))
const memoryOnSignal = fileURLToPath(new URL('memory-on-signal.ts', import.meta.url))

/** What a relay uses, after a collection. */
export interface Measured {
  readonly usedBytes: number
  readonly rssBytes: number
  readonly cpuSeconds: number
}

/** An `asbru serve` that can be asked for its memory. */
export class RelayProcess {
  /** Of the HTTP API. */
  readonly api: string
  readonly #child: ChildProcess
  readonly #log: Interface

  private constructor(child: ChildProcess, log: Interface, api: string) {
    this.#child = child
    this.#log = log
    this.api = api
  }

  /** Resolves once it is ready, which takes a copy of what the others know. */
  static async ready(args: readonly string[]): Promise<RelayProcess> {
    const node = ['--expose-gc', '--conditions=@asbru/source', '--import', memoryOnSignal]
    const relay = ['serve', '--port=0', '--internal-port=0', '--log-level=error', ...args]
    const child = spawn(process.execPath, [...node, main, ...relay], { stdio: 'pipe' })
    process.once('exit', () => child.kill('SIGKILL'))
    const log = createInterface(child.stderr)
    const failed = once(child, 'exit').then(() => Promise.reject(new Error('a relay ended')))
    const [line] = (await Promise.race([once(createInterface(child.stdout), 'line'), failed])) as [
      string,
    ]
    failed.catch(() => {}) // it is killed at the end
    const { listening } = JSON.parse(line) as { listening: { api: string } }
    while (!(await fetch(new URL('/readyz', listening.api))).ok) await wait(20)
    return new RelayProcess(child, log, listening.api)
  }

  async measure(): Promise<Measured> {
    const said = once(this.#log, 'line') as Promise<[string]>
    this.#child.kill('SIGUSR2')
    const [line] = await said
    return (JSON.parse(line) as { measured: Measured }).measured
  }

  /** How many clients it knows of. */
  async clients(): Promise<number> {
    const answer = await fetch(`${this.api}/status`)
    return ((await answer.json()) as { clients: number }).clients
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await once(this.#child, 'exit')
  }
}
