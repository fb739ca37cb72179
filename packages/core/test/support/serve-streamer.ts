import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { Streamer, type StreamerOptions } from '../../src/index.ts'
import { loopbackDriver } from './loopback-driver.ts'

/** A Streamer behind an HTTP server of its own, until the end of the test. */
export interface ServedStreamer {
  readonly streamer: Streamer
  readonly server: Server
  readonly port: number
  /** Scheme, host and port. */
  readonly origin: string
  /** Where a client reads its events. */
  readonly url: (id: string) => string
  /** Cuts every connection, as a network does. */
  readonly cut: () => void
}

/** How a Streamer is served. */
export interface ServeOptions extends Partial<StreamerOptions> {
  /** Listens in place of `streamer.listener`. */
  mount?: (streamer: Streamer) => RequestListener
  /** @default one that is free */
  port?: number
}

/** Serves a Streamer over HTTP/1.1 on the loopback interface. */
export async function serveStreamer({
  mount = (streamer) => streamer.listener,
  port: wantedPort = 0,
  ...options
}: ServeOptions = {}): Promise<ServedStreamer> {
  const streamer = new Streamer({
    driver: loopbackDriver(),
    drainMs: 0,
    lingerMs: 0,
    retryMs: 100,
    ...options,
  })
  const server = createServer(mount(streamer))
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(wantedPort, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    await streamer.close()
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo
  const origin = `http://127.0.0.1:${port}`
  return {
    streamer,
    server,
    port,
    origin,
    url: (id) => `${origin}/events?id=${encodeURIComponent(id)}`,
    cut: () => sockets.forEach((socket) => socket.destroy()),
  }
}
