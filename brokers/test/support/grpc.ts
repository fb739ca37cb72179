import { once } from 'node:events'
import { connect, type ClientHttp2Stream } from 'node:http2'
import type { Broker } from '@asbru/brokers'

/** One unary call of Pub/Sub; the request and the answer are protobuf, as latin1 text. */
export async function call(broker: Broker, method: string, request: string): Promise<string> {
  const { stream, status, close } = open(broker, method)
  try {
    stream.end(frame(request))
    stream.setEncoding('latin1')
    let answer = ''
    stream.on('data', (text) => (answer += text))
    const ended = await status
    if (ended !== '0') throw new Error(`${method} ended with the status ${ended}`)
    return answer.slice(5)
  } finally {
    close()
  }
}

/** Opens a stream that stays open for more requests; resolves with its status once it has ended. */
export function openStream(
  broker: Broker,
  method: string,
  request: string,
): { opened: Promise<unknown>; status: Promise<string> } {
  const { stream, status, close } = open(broker, method)
  stream.write(frame(request))
  stream.resume()
  return { opened: once(stream, 'response'), status: status.finally(close) }
}

/** A field whose value is text or a message of less than 128 bytes. */
export function field(number: number, value: string): string {
  return String.fromCharCode(number * 8 + 2, value.length) + value
}

/** The fields of a message that has short texts and messages only. */
export function fields(message: string): Map<number, string> {
  const found = new Map<number, string>()
  for (let at = 0; at < message.length; at += 2 + message.charCodeAt(at + 1)) {
    const end = at + 2 + message.charCodeAt(at + 1)
    found.set(message.charCodeAt(at) >> 3, message.slice(at + 2, end))
  }
  return found
}

function open(
  { url }: Broker,
  method: string,
): { stream: ClientHttp2Stream; status: Promise<string>; close: () => void } {
  const session = connect(`http://${url}`)
  const stream = session.request({
    ':method': 'POST',
    ':path': `/google.pubsub.v1.${method}`,
    'content-type': 'application/grpc',
    te: 'trailers',
  })
  let status: string | undefined
  stream.once('trailers', (trailers) => (status = String(trailers['grpc-status'])))
  // An answer that is an error alone has no trailers of its own.
  stream.once('response', (headers) => (status = headers['grpc-status']?.toString()))
  const ended = once(stream, 'end').then(() => String(status))
  return { stream, status: ended, close: () => session.close() }
}

function frame(message: string): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, Buffer.from(message, 'latin1')])
}
