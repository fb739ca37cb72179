import { reservePort } from '@asbru/brokers'
import { serve, type ServingAsbru } from '../../support/asbru.ts'

/** Where a replica listens. */
export interface ReplicaPorts {
  readonly events: number
  readonly api: number
}

/** Finds ports that nobody else takes. */
export async function reservePorts(): Promise<ReplicaPorts> {
  const [events, api] = [await reservePort(), await reservePort()]
  return { events: events.port, api: api.port }
}

/** One relay process, under the same ports after each start. */
export class Replica {
  readonly eventsPort: number
  readonly apiPort: number
  readonly #args: readonly string[]
  #serving: ServingAsbru | undefined

  /** It does not run yet. */
  constructor({ events, api }: ReplicaPorts, args: readonly string[]) {
    this.eventsPort = events
    this.apiPort = api
    this.#args = args
  }

  /** Where its events are. */
  get events(): string {
    return `http://127.0.0.1:${this.eventsPort}/events`
  }

  /** Where its HTTP API is. */
  get api(): string {
    return `http://127.0.0.1:${this.apiPort}/v1`
  }

  /** Resolves once it serves, ready or not. */
  async start(): Promise<void> {
    const ports = ['--port', `${this.eventsPort}`, '--internal-port', `${this.apiPort}`]
    this.#serving = await serve([...ports, '--log-level', 'warn', ...this.#args])
  }

  /** Whether it knows all clients and reaches the broker. */
  async isReady(): Promise<boolean> {
    const answer = await fetch(`http://127.0.0.1:${this.apiPort}/readyz`).catch(() => undefined)
    await answer?.arrayBuffer()
    return answer?.status === 200
  }

  /** Sends SIGSTOP or SIGCONT. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#running.signal(signal)
  }

  /** Ends it as a crash does. */
  async kill(): Promise<void> {
    this.#running.signal('SIGKILL')
    await this.#running.ended
  }

  /** Ends it as a rollout does. */
  async stop(): Promise<void> {
    this.#running.signal('SIGTERM')
    const { code, stderr } = await this.#running.ended
    if (code !== 0) throw new Error(`a replica ended with ${code} after SIGTERM: ${stderr}`)
  }

  /** What it said on stderr since its last start. */
  get log(): string {
    return this.#running.stderr
  }

  get #running(): ServingAsbru['asbru'] {
    if (this.#serving === undefined) throw new Error('the replica was never started')
    return this.#serving.asbru
  }
}
