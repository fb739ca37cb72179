import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { KubeApiOptions } from '@asbru/driver-kubernetes'
import { EventSource } from 'eventsource'

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const TOKEN = 'token'
const TOPIC = 'news'

/** A relay as a pod: a process on an address of its own that finds the others in the slices of the Service `asbru`. */
export class Pod {
  readonly #child: ChildProcess
  readonly #host: string

  private constructor(child: ChildProcess, host: string) {
    this.#child = child
    this.#host = host
  }

  /** Resolves once it serves. */
  static async start(host: string, api: KubeApiOptions): Promise<Pod> {
    const driver = {
      NAME: 'kubernetes',
      SERVICE: 'asbru',
      NAMESPACE: 'relays',
      SECRET: 's',
      API__URL: api.url!,
      API__CA_FILE: api.caFile!,
      API__TOKEN_FILE: api.tokenFile!,
    }
    const env: Record<string, string> = { POD_IP: host, ASBRU_API_TOKEN: TOKEN }
    for (const [key, value] of Object.entries(driver)) env[`ASBRU_DRIVER__${key}`] = value
    const listeners = ['--host', host, '--internal-host', host, '--log-level', 'error']
    const child = spawn(
      process.execPath,
      ['--conditions=@asbru/source', main, 'serve', ...listeners],
      { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] },
    )
    const lines = createInterface({ input: child.stdout })
    await Promise.race([
      once(lines, 'line'),
      once(child, 'exit').then(() => Promise.reject(new Error(`The pod ${host} ended at once.`))),
    ])
    return new Pod(child, host)
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill('SIGKILL')
    await once(this.#child, 'exit')
  }

  /** Publishes some messages in their order. */
  async publish(texts: readonly string[]): Promise<void> {
    await this.#post(
      '/v1/messages',
      texts.map((data) => ({ topic: TOPIC, data })),
    )
  }

  /** Makes clients that are connected here. */
  clients(count: number): Promise<PodClient[]> {
    return Promise.all(
      Array.from({ length: count }, async () => {
        const { id } = (await this.#post('/v1/clients', { topics: [TOPIC] })) as { id: string }
        const source = new EventSource(`http://${this.#host}:8080/events?id=${id}`)
        const client = new PodClient(source)
        await new Promise((resolve, reject) => {
          source.addEventListener('open', resolve)
          source.addEventListener('error', reject)
        })
        return client
      }),
    )
  }

  async #post(path: string, body: unknown): Promise<unknown> {
    const response = await fetch(`http://${this.#host}:7070${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${TOKEN}` },
      body: JSON.stringify(body),
    })
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return response.json()
  }
}

/** Counts the messages that a client gets. */
export class PodClient {
  all = 0
  readonly #got = new Map<string, number>()
  readonly #checks = new Set<() => void>()

  constructor(source: EventSource) {
    source.addEventListener(TOPIC, ({ data }) => {
      this.all++
      if (!this.#got.has(data as string)) this.#got.set(data as string, performance.now())
      for (const check of this.#checks) check()
    })
  }

  get different(): number {
    return this.#got.size
  }

  async untilDifferent(count: number): Promise<void> {
    await this.#until(() => this.different >= count)
  }

  /** Resolves with when it came. */
  async untilGot(data: string): Promise<number> {
    await this.#until(() => this.#got.has(data))
    return this.#got.get(data)!
  }

  #until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!holds()) return
        this.#checks.delete(check)
        resolve()
      }
      this.#checks.add(check)
      check()
    })
  }
}
