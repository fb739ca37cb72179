import { connect } from 'node:net'

/** How long a broker on the same machine may take to answer one question. */
const answerWithinMs = 2000

/**
 * Connects to 127.0.0.1 or another host, sends bytes, and resolves with what came back: once it is enough, the
 * server ends, or two seconds passed; undefined if nobody listens.
 */
export function ask(
  port: number,
  request: string | Uint8Array,
  isEnough: (answer: Buffer) => boolean = (answer) => answer.length > 0,
  host = '127.0.0.1',
): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, noDelay: true })
    let answer = Buffer.alloc(0)
    let connected = false
    const done = () => {
      socket.destroy()
      resolve(connected ? answer : undefined)
    }
    socket.setTimeout(answerWithinMs, done)
    socket.once('error', done).once('end', done)
    socket.once('connect', () => {
      connected = true
      if (request.length > 0) socket.write(request)
      if (isEnough(answer)) done()
    })
    socket.on('data', (bytes) => {
      answer = Buffer.concat([answer, bytes])
      if (isEnough(answer)) done()
    })
  })
}

/** True if somebody listens on the port of 127.0.0.1. */
export async function listens(port: number): Promise<boolean> {
  return (await ask(port, '', () => true)) !== undefined
}
