import { Streamer } from '@asbru/core'
import { kubernetesDriver, type KubernetesDriver, type PeerFinder } from '@asbru/driver-kubernetes'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export { localhostPeers } from '@asbru/driver-kubernetes'

/**
 * What sser was in Go: streams by name, one kind of client, and pods that post to each other. A client of
 * `/events?stream=foo` is an anonymous one with the topic `foo`, and `send` is `publish`.
 */
export class Sser {
  readonly #driver: KubernetesDriver
  readonly #streamer: Streamer
  readonly #internal: Server
  readonly #internalPort: number

  /** @param internalPort where peers post; 0 for a free one */
  constructor(internalPort: number, peers: PeerFinder, host = '127.0.0.1') {
    this.#internalPort = internalPort
    this.#driver = kubernetesDriver({ peers, address: () => `${host}:${this.internalPort}` })
    this.#streamer = new Streamer({
      driver: this.#driver,
      anonymous: { topics: ['**'] },
      // Without a name, so that `onmessage` gets them.
      eventNames: 'publisher',
    })
    this.#internal = createServer((request, response) => {
      void this.#driver.handler(request, response)
    })
  }

  /** The port that peers post to, once it is started. */
  get internalPort(): number {
    return (this.#internal.address() as AddressInfo).port
  }

  /** Listens for peers, and then finds them. */
  async start(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#internal.once('error', reject).listen(this.#internalPort, resolve)
    })
    await this.#streamer.start()
  }

  /** Serves `GET /events?stream=foo` at the frontend. */
  readonly clientConnectionHandler = (request: IncomingMessage, response: ServerResponse): void => {
    const url = new URL(request.url ?? '', 'http://localhost')
    const stream = url.searchParams.get('stream')
    if (stream === null || stream === '') {
      response.writeHead(400).end('A stream name must be supplied')
      return
    }
    url.searchParams.delete('stream')
    url.searchParams.set('topic', stream)
    request.url = url.pathname + url.search
    this.#streamer.listener(request, response)
  }

  /** Sends a message to all clients of a stream, whichever pod they are connected to. */
  async send(stream: string, message: string): Promise<void> {
    if (message === '')
      throw new TypeError('you cannot send the empty string as a message over SSE')
    await this.#streamer.publish(stream, message)
  }

  async close(): Promise<void> {
    await this.#streamer.close()
    this.#internal.close()
    this.#internal.closeAllConnections()
  }
}
