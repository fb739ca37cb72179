import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'

/** Stands between a client and a broker, and does to their connections what networks do. */
export interface TcpProxy {
  /** On 127.0.0.1; what connects here reaches the broker. */
  readonly port: number
  /** Ends all connections, and every new one at once, until `resume`. */
  cut(): void
  /** Lets nothing through any more, in either direction, though all connections stay open, until `resume`. */
  stall(): void
  /** Undoes `cut` and `stall`: what was held up arrives. */
  resume(): void
  /** Makes all that comes from now on arrive so many milliseconds later, in each direction. */
  delay(ms: number): void
  /** Ends all connections and the proxy; idempotent. */
  stop(): Promise<void>
}

/** Starts a proxy before a port of 127.0.0.1. */
export async function startProxy(target: { readonly port: number }): Promise<TcpProxy> {
  const sockets = new Set<Socket>()
  const road: Road = { delayMs: 0 }
  let isCut = false

  const server = createServer((near) => {
    if (isCut) {
      near.destroy()
      return
    }
    const far = connect(target.port, '127.0.0.1')
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        near.destroy()
        far.destroy()
      })
    }
    carry(near, far, road)
    carry(far, near, road)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  let stopping: Promise<void> | undefined

  return {
    port: (server.address() as AddressInfo).port,
    cut() {
      isCut = true
      endAll()
    },
    stall() {
      road.stalled ??= stall()
    },
    resume,
    delay(ms) {
      road.delayMs = ms
    },
    stop() {
      return (stopping ??= stop())
    },
  }

  async function stop(): Promise<void> {
    const closed = once(server, 'close')
    server.close()
    resume()
    endAll()
    await closed
  }

  function resume(): void {
    isCut = false
    road.stalled?.end()
    delete road.stalled
  }

  function endAll(): void {
    for (const socket of sockets) socket.destroy()
  }
}

/** What happens to everything on its way. */
interface Road {
  delayMs: number
  /** Absent while things move. */
  stalled?: Stall
}

interface Stall {
  readonly over: Promise<unknown>
  readonly end: () => void
}

function stall(): Stall {
  const moving = new AbortController()
  const over = once(moving.signal, 'abort')
  return { over, end: () => moving.abort() }
}

/** Carries one direction of a connection, in order. */
function carry(from: Socket, to: Socket, road: Road): void {
  const waiting: { readonly chunk: Buffer; readonly due: number }[] = []
  let isMoving = false
  from.on('data', (chunk: Buffer) => {
    waiting.push({ chunk, due: performance.now() + road.delayMs })
    if (!isMoving) void move()
  })
  from.on('end', () => {
    if (isMoving) waiting.push({ chunk: Buffer.alloc(0), due: 0 })
    else to.end()
  })

  async function move(): Promise<void> {
    isMoving = true
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const early = next.due - performance.now()
      if (early > 0) await wait(early)
      while (road.stalled !== undefined) await road.stalled.over
      if (next.chunk.length === 0) to.end()
      else if (!to.write(next.chunk)) await flushed(from, to)
    }
    isMoving = false
  }
}

/** Takes no more from `from` until `to` has room. */
async function flushed(from: Socket, to: Socket): Promise<void> {
  from.pause()
  await new Promise<void>((resolve) => {
    to.once('drain', resolve)
    to.once('close', resolve)
  })
  from.resume()
}
