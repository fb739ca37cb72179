import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Fault } from './fault.ts'

/** How long requests may take to end once their server is closing. */
const GRACE_MS = 2_000
/** A connection that was busy when its server began to close is looked at again so often. */
const IDLE_CHECK_MS = 50
/** Connections that may wait to be accepted: all browsers of another replica may come at once. */
const BACKLOG = 4_096

/** Where a server listens, and the flag that chooses the port. */
export interface ListenAddress {
  readonly host: string
  readonly port: number
  readonly flag: string
}

/**
 * Starts a server and resolves with its origin, such as `http://127.0.0.1:8080`.
 * @throws {Fault} if the address cannot be had
 */
export function listen(server: Server, { host, port, flag }: ListenAddress): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const reason =
        error.code === 'EADDRINUSE'
          ? `port ${port} on ${host} is taken; choose another with ${flag}`
          : `cannot listen on port ${port} of ${host}: ${error.message}`
      reject(new Fault(reason, { cause: error }))
    })
    server.listen({ host, port, backlog: BACKLOG }, () => {
      const { port: taken } = server.address() as AddressInfo
      resolve(`http://${host.includes(':') ? `[${host}]` : host}:${taken}`)
    })
  })
}

/** Takes no more connections and resolves once those that there are have ended, by force after a while. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const idle = setInterval(() => server.closeIdleConnections(), IDLE_CHECK_MS)
    const force = setTimeout(() => server.closeAllConnections(), GRACE_MS)
    server.close(() => {
      clearInterval(idle)
      clearTimeout(force)
      resolve()
    })
  })
}
