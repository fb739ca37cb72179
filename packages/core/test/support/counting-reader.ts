import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** Reads numbered events over a raw socket as fast as they come, and sees that none is missing. */
export class CountingReader {
  readonly #socket: Socket
  #rest = ''
  #next = 0
  #waiting: { readonly count: number; readonly done: () => void } | undefined
  /** The first number that was not the one after the one before. */
  fault: string | undefined

  private constructor(socket: Socket) {
    this.#socket = socket
    this.#socket.setEncoding('latin1')
    this.#socket.on('data', (piece: string) => this.#read(piece))
    onTestFinished(() => void socket.destroy())
  }

  /** Connects, and waits for the first bytes. */
  static async open(url: string): Promise<CountingReader> {
    const { hostname, port, pathname, search } = new URL(url)
    const socket = connect(Number(port), hostname)
    socket.write(`GET ${pathname}${search} HTTP/1.1\r\nHost: test\r\n\r\n`)
    const reader = new CountingReader(socket)
    await once(socket, 'data')
    return reader
  }

  /** How many events came, in order and without a hole. */
  get count(): number {
    return this.#next
  }

  /** Waits until so many came. */
  async until(count: number): Promise<void> {
    if (this.#next >= count) return
    await new Promise<void>((done) => {
      this.#waiting = { count, done }
    })
  }

  #read(piece: string): void {
    const text = this.#rest + piece
    const end = text.lastIndexOf('\n') + 1
    this.#rest = text.slice(end)
    for (const [, number] of text.slice(0, end).matchAll(/^data: (\d+)/gm)) {
      if (Number(number) !== this.#next) this.fault ??= `${number} in place of ${this.#next}`
      this.#next++
    }
    if (this.#waiting === undefined || this.#next < this.#waiting.count) return
    this.#waiting.done()
    this.#waiting = undefined
  }
}
