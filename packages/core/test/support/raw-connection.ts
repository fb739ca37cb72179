import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { onTestFinished, vi } from 'vitest'
import { type ReadEvents, readEvents } from './event-blocks.ts'
import { parseChunks } from './http-chunks.ts'

/** A TCP connection that speaks HTTP by hand, until the end of the test. */
export class RawConnection {
  readonly socket: Socket
  #received: Buffer = Buffer.alloc(0)

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (bytes) => {
      this.#received = Buffer.concat([this.#received, bytes])
    })
    // A reset is one of the ways in which a connection ends.
    socket.on('error', () => {})
  }

  /** Connects to a port of the loopback interface. */
  static async to(port: number): Promise<RawConnection> {
    const socket = connect(port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    const connection = new RawConnection(socket)
    await once(socket, 'connect')
    return connection
  }

  /** Everything that came so far. */
  get received(): string {
    return this.#received.toString()
  }

  /** Writes in one piece. */
  send(text: string): void {
    this.socket.write(text)
  }

  /** Asks with GET over HTTP/1.1. */
  get(path: string, headers = ''): void {
    this.send(`GET ${path} HTTP/1.1\r\nHost: test\r\n${headers}\r\n`)
  }

  /** Waits until `text` came. */
  async until(text: string): Promise<void> {
    await vi.waitFor(
      () => {
        if (!this.received.includes(text)) throw new Error(`no ${text} in ${this.received}`)
      },
      { timeout: 10_000, interval: 5 },
    )
  }

  /** The answers that came so far, one after the other; of the last one perhaps only a part. */
  answers(): RawAnswer[] {
    const answers: RawAnswer[] = []
    let rest = this.#received
    while (rest.length > 0) {
      const headEnd = rest.indexOf('\r\n\r\n')
      if (headEnd < 0) break
      const head = rest.subarray(0, headEnd).toString('latin1')
      const body = rest.subarray(headEnd + 4)
      if (/^transfer-encoding: chunked$/im.test(head)) {
        const parsed = parseChunks(body)
        answers.push(new RawAnswer(head, Buffer.concat(parsed.chunks), parsed.ended))
        if (!parsed.ended) break
        rest = parsed.rest
      } else {
        const length = /^content-length: (\d+)$/im.exec(head)?.[1]
        const end = length === undefined ? body.length : Number(length)
        answers.push(new RawAnswer(head, body.subarray(0, end), body.length >= end))
        rest = body.subarray(end)
      }
    }
    return answers
  }
}

/** One answer without its transfer coding. */
export class RawAnswer {
  readonly head: string
  readonly body: string
  readonly ended: boolean

  constructor(head: string, body: Buffer, ended: boolean) {
    this.head = head
    this.body = body.toString()
    this.ended = ended
  }

  /** The body as an EventSource reads it. */
  get read(): ReadEvents {
    return readEvents(this.body)
  }
}
