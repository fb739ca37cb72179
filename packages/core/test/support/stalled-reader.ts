import { connect, type Socket } from 'node:net'
import { onTestFinished, vi } from 'vitest'
import type { Streamer } from '../../src/index.ts'

/** A client that asks for a stream and then reads nothing, until it is told to. */
export class StalledReader {
  readonly #socket: Socket

  private constructor(socket: Socket) {
    this.#socket = socket
    // A reset is how a server ends a connection that reads nothing.
    socket.on('error', () => {})
    onTestFinished(() => void socket.destroy())
  }

  /** Connects, and waits until the server has opened the stream. */
  static async open(streamer: Streamer, url: string, lastEventId?: string): Promise<StalledReader> {
    const before = (await streamer.status()).connections
    const { hostname, port, pathname, search } = new URL(url)
    const socket = connect(Number(port), hostname)
    socket.pause()
    const cursor = lastEventId === undefined ? '' : `Last-Event-ID: ${lastEventId}\r\n`
    socket.write(`GET ${pathname}${search} HTTP/1.1\r\nHost: test\r\n${cursor}\r\n`)
    const isOpen = async (): Promise<boolean> => (await streamer.status()).connections > before
    await vi.waitUntil(isOpen, { timeout: 10_000, interval: 1 })
    return new StalledReader(socket)
  }

  /** Reads until `last` came, and returns all the text, chunk framing included. */
  async readUntil(last: string): Promise<string> {
    const pieces: string[] = []
    await new Promise<void>((resolve, reject) => {
      this.#socket.setEncoding('utf8')
      this.#socket.resume()
      this.#socket.on('data', (piece: string) => {
        const tail = (pieces.at(-1) ?? '').slice(-last.length) + piece
        pieces.push(piece)
        if (tail.includes(last)) resolve()
      })
      this.#socket.on('close', () => reject(new Error(`the stream ended before ${last}`)))
    })
    return pieces.join('')
  }
}
