import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { onTestFinished } from 'vitest'

const TYPE_A = 1
const NO_SUCH_NAME = 3
const SERVER_FAILURE = 2

/** A name server that has IPv4 addresses for every name. */
export class NameServer {
  /** What it answers with. */
  addresses: readonly string[] = []
  isFailing = false
  readonly address: string

  private constructor(address: string) {
    this.address = address
  }

  /** Starts one, until the test is over. */
  static async start(): Promise<NameServer> {
    const socket = createSocket('udp4')
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    onTestFinished(() => void socket.close())
    const server = new NameServer(`127.0.0.1:${socket.address().port}`)
    socket.on('message', (query, { port, address }) => {
      socket.send(server.#answer(query), port, address)
    })
    return server
  }

  /** RFC 1035: the header, the question again, and a record for each address. */
  #answer(query: Buffer): Buffer {
    const question = query.subarray(12, query.indexOf(0, 12) + 5)
    const isForA = question.readUInt16BE(question.length - 4) === TYPE_A
    const found = isForA && !this.isFailing ? this.addresses : []
    const header = Buffer.alloc(12)
    query.copy(header, 0, 0, 2)
    header.writeUInt16BE(0x8180 | this.#code, 2)
    header.writeUInt16BE(1, 4)
    header.writeUInt16BE(found.length, 6)
    const records = found.map((address) =>
      // The name by a pointer to the question, class IN, a second to live, four bytes.
      Buffer.from([0xc0, 12, 0, TYPE_A, 0, 1, 0, 0, 0, 1, 0, 4, ...address.split('.').map(Number)]),
    )
    return Buffer.concat([header, question, ...records])
  }

  get #code(): number {
    if (this.isFailing) return SERVER_FAILURE
    return this.addresses.length === 0 ? NO_SUCH_NAME : 0
  }
}
