import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'

/** A port that nobody else who asks here gets, until it is released. */
export interface ReservedPort {
  readonly port: number
  release(): void
}

/** Below the range for outgoing connections, so that none of them takes it while a broker is down. */
const range = { from: 10_000, to: 32_000 } as const

/**
 * Reserves a free port of 127.0.0.1. The reservation is the same port of 127.0.0.2, held open: other
 * processes that look for a port see it, and it goes with this process.
 */
export async function reservePort(): Promise<ReservedPort> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = randomInt(range.from, range.to)
    const reservation = await listen('127.0.0.2', port)
    if (reservation === undefined) continue
    const probe = await listen('127.0.0.1', port)
    if (probe !== undefined) {
      probe.close()
      await once(probe, 'close')
      return { port, release: () => void reservation.close() }
    }
    reservation.close()
  }
  throw new Error(`found no free port from ${range.from} to ${range.to}`)
}

async function listen(host: string, port: number): Promise<Server | undefined> {
  const server = createServer((socket) => socket.destroy())
  server.unref()
  server.listen({ host, port, backlog: 1 })
  try {
    await once(server, 'listening')
    return server
  } catch {
    return undefined
  }
}
