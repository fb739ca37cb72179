import { randomInt } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { listens } from './tcp.ts'

/** A port that nobody else who asks here gets, until it is released. */
export interface ReservedPort {
  readonly port: number
  release(): void
}

/** Below the range for outgoing connections, so that none of them takes it while a broker is down. */
const range = { from: 10_000, to: 32_000 } as const

/**
 * Reserves a free TCP port of 127.0.0.1. The reservation is the UDP port of that number, held open:
 * other processes that look for a port see it, no broker minds it, and it goes with this process.
 */
export async function reservePort(): Promise<ReservedPort> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = randomInt(range.from, range.to)
    const reservation = await hold(port)
    if (reservation === undefined) continue
    if (!(await listens(port))) return { port, release: () => void reservation.close() }
    reservation.close()
  }
  throw new Error(`found no free port from ${range.from} to ${range.to}`)
}

async function hold(port: number): Promise<Socket | undefined> {
  const socket = createSocket('udp4')
  socket.unref()
  socket.bind({ address: '127.0.0.1', port, exclusive: true })
  try {
    await once(socket, 'listening')
    return socket
  } catch {
    return undefined
  }
}
