import { reservePort } from '@asbru/brokers'
import { serve, type ServingAsbru } from '../../support/asbru.ts'

/** One relay process, under the same ports after each start. */
export class Replica {
  readonly eventsPort: number
  readonly apiPort: number
  readonly #args: readonly string[]
  #serving: ServingAsbru | undefined

  private constructor(eventsPort: number, apiPort: number, args: readonly string[]) {
    this.eventsPort = eventsPort
    this.apiPort = apiPort
    this.#args = args
  }

  /** Reserves its ports; it does not run yet. */
  static async reserved(args: readonly string[]): Promise<Replica> {
    const [events, api] = [await reservePort(), await reservePort()]
    return new Replica(events.port, api.port, args)
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
