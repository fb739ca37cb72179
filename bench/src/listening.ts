import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'

/** Listens on a free port of the loopback interface, and resolves with it. */
export async function listening(server: Server): Promise<number> {
  // Node's own backlog of 511 is too short for many that connect at once.
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 })
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
