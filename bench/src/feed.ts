import { Buffer } from 'node:buffer'
import { createServer } from 'node:net'
import { listening } from './listening.ts'

/**
 * Takes messages as lines `topic payload\n` over TCP, as from a broker: all lines that one read holds are
 * published in the same turn. Resolves with its port.
 */
export function serveFeed(publish: (topic: string, payload: Buffer) => void): Promise<number> {
  const server = createServer((socket) => {
    let rest: Buffer = Buffer.alloc(0)
    socket.on('data', (piece) => {
      const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece])
      let start = 0
      for (let end = bytes.indexOf('\n'); end >= 0; end = bytes.indexOf('\n', start)) {
        const space = bytes.indexOf(' ', start)
        publish(bytes.toString('latin1', start, space), bytes.subarray(space + 1, end))
        start = end + 1
      }
      rest = bytes.subarray(start)
    })
    // The sink resets its connections when it is done.
    socket.on('error', () => {})
  })
  return listening(server)
}
