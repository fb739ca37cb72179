import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Broker } from '@asbru/brokers'
import { onTestFinished, vi } from 'vitest'

/** A watch that goes through the proxy. */
interface Watch {
  readonly from: IncomingMessage
  readonly to: ServerResponse
}

/** Stands before the API of Kubernetes, with its certificate, and does to watches what networks do. */
export class ApiProxy {
  readonly url: string
  /** The paths that were asked for. */
  readonly requests: string[] = []
  /** How many requests were refused. */
  refused = 0
  isRefusing = false
  readonly #watches = new Set<Watch>()

  private constructor(url: string) {
    this.url = url
  }

  /** Starts one, until the test is over. */
  static async start({ dir, url }: Broker<'kubernetes'>): Promise<ApiProxy> {
    const ca = readFileSync(join(dir, 'ca.crt'))
    const [key, cert] = ['server.key', 'server.crt'].map((file) => readFileSync(join(dir, file)))
    const server = createServer({ key: key!, cert: cert! }, (incoming, response) => {
      if (proxy.isRefusing) {
        proxy.refused++
        incoming.socket.destroy()
        return
      }
      const path = incoming.url!
      proxy.requests.push(path)
      request(url + path, { method: incoming.method, headers: incoming.headers, ca, agent: false })
        .once('error', () => response.destroy())
        .once('response', (answer) => proxy.#pass(path, answer, response))
        .end()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => {
      server.close()
      server.closeAllConnections()
    })
    const proxy = new ApiProxy(`https://127.0.0.1:${(server.address() as AddressInfo).port}`)
    return proxy
  }

  get watches(): number {
    return this.requests.filter((path) => path.includes('watch=1')).length
  }

  /** Waits for a watch, and lets nothing through to it, not even an end. */
  async silence(): Promise<void> {
    await vi.waitUntil(() => this.#watches.size > 0, 5_000)
    for (const { from, to } of this.#watches) {
      from.unpipe(to)
      from.removeAllListeners('error')
      from.on('error', () => {}).resume()
    }
  }

  /** Ends the watches in order, after they were silent for a time. */
  async endWatches(during: () => Promise<void> = async () => {}): Promise<void> {
    await this.silence()
    const all = [...this.#watches]
    await during()
    for (const { to } of all) to.end()
  }

  /** Ends everything, and lets nobody in. */
  refuse(): void {
    this.isRefusing = true
    for (const { to } of this.#watches) to.destroy()
  }

  #pass(path: string, from: IncomingMessage, to: ServerResponse): void {
    to.writeHead(from.statusCode!, from.headers)
    to.flushHeaders()
    from.pipe(to)
    const watch = { from, to }
    if (path.includes('watch=1')) this.#watches.add(watch)
    from.once('error', () => to.destroy())
    to.once('close', () => {
      this.#watches.delete(watch)
      from.destroy()
    })
  }
}
