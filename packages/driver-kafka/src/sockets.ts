import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { ISocketFactory, ISocketFactoryArgs } from 'kafkajs'

/** All connections of a driver. The client itself never gives up one that only fell silent. */
export class Sockets {
  readonly #make: ISocketFactory
  readonly #open = new Map<Socket, string>()
  #isClosed = false

  constructor(make: ISocketFactory = makeSocket) {
    this.#make = make
  }

  /** Makes a connection, and keeps it until it is closed. */
  readonly factory: ISocketFactory = (args) => {
    if (this.#isClosed) throw new Error('The Kafka driver was closed.')
    const socket = this.#make({
      ...args,
      onConnect() {
        isConnected = true
        args.onConnect()
      },
    })
    let isConnected = false
    this.#open.set(socket, `${args.host}:${args.port}`)
    socket.on('close', () => this.#open.delete(socket))
    // The client waits for ever for a connection that the broker ends before it is made.
    socket.on('end', () => {
      if (!isConnected) socket.destroy(new Error('The broker closed the connection.'))
    })
    return socket
  }

  /** Takes connections for dead: all, or those to one broker (`host:port`). */
  drop(broker?: string): void {
    for (const [socket, address] of this.#open)
      if (broker === undefined || address === broker)
        socket.destroy(new Error('The broker fell silent.'))
  }

  /** Ends all connections, and lets none be made. */
  close(): void {
    this.#isClosed = true
    for (const socket of this.#open.keys()) socket.destroy(new Error('The driver was closed.'))
  }
}

const KEEP_ALIVE_MS = 10_000

function makeSocket({ host, port, ssl, onConnect }: ISocketFactoryArgs): Socket {
  const socket = ssl
    ? connectTls({ host, port, ...(isIP(host) === 0 && { servername: host }), ...ssl }, onConnect)
    : connect({ host, port }, onConnect)
  socket.setKeepAlive(true, KEEP_ALIVE_MS)
  socket.setNoDelay(true)
  return socket
}
