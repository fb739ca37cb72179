import { once } from 'node:events'
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

/** Stands between replicas that post to each other: each is reached by the others at an address of its own. */
export interface PeerNetwork {
  /** `host:port` of each replica. */
  readonly addresses: readonly string[]
  /** Ends all posts to a replica and from it, and every new one at once, until `resume`. */
  cut(index: number): void
  /** Undoes `cut`. */
  resume(index: number): void
  stop(): Promise<void>
}

/** Starts one before the internal listeners of some replicas. */
export async function startPeerNetwork(ports: readonly number[]): Promise<PeerNetwork> {
  const cut = new Set<string>()
  const underWay = new Set<Post>()
  const agent = new Agent({ keepAlive: true })
  const addresses: string[] = []
  const servers = ports.map((port, i) =>
    createServer((asked, answering) => void carry(asked, answering, port, () => addresses[i]!)),
  )
  for (const server of servers) {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    addresses.push(`127.0.0.1:${(server.address() as AddressInfo).port}`)
  }
  return {
    addresses,
    cut(index) {
      cut.add(addresses[index]!)
      for (const post of underWay) if (isCut(post)) post.end()
    },
    resume: (index) => void cut.delete(addresses[index]!),
    async stop() {
      const closed = servers.map((server) => once(server, 'close'))
      for (const server of servers) {
        server.close()
        server.closeAllConnections()
      }
      agent.destroy()
      await Promise.all(closed)
    },
  }

  function isCut({ from, to }: Post): boolean {
    return cut.has(from) || cut.has(to)
  }

  async function carry(
    asked: IncomingMessage,
    answering: ServerResponse,
    port: number,
    to: () => string,
  ): Promise<void> {
    const body = await buffer(asked).catch(() => undefined)
    if (body === undefined) return
    const { address: from } = JSON.parse(body.toString()) as { address: string }
    const { method, url, headers } = asked
    const on = request({ host: '127.0.0.1', port, path: url, method, headers, agent })
    const post: Post = { from, to: to(), end: () => void asked.socket.destroy() }
    underWay.add(post)
    answering.once('close', () => {
      underWay.delete(post)
      on.destroy()
    })
    on.once('error', post.end)
    on.once('response', (response) => {
      response.once('error', post.end)
      answering.writeHead(response.statusCode!, response.headers)
      response.pipe(answering)
    })
    if (isCut(post)) post.end()
    else on.end(body)
  }
}

/** From one address to another. */
interface Post {
  readonly from: string
  readonly to: string
  readonly end: () => void
}
