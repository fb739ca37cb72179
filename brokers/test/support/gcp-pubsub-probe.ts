import { once } from 'node:events'
import { connect } from 'node:http2'
import type { Broker } from '@asbru/brokers'
import type { Probe } from './probes.ts'

const topic = 'projects/probe/topics/probe'
const subscription = 'projects/probe/subscriptions/probe'

/** A message that a subscription has not delivered yet, by gRPC with messages encoded by hand. */
export const gcpPubsubProbe: Probe = {
  async store(broker, value) {
    await call(broker, 'Publisher/CreateTopic', field(1, topic))
    await call(broker, 'Subscriber/CreateSubscription', field(1, subscription) + field(2, topic))
    const message = field(1, value)
    await call(broker, 'Publisher/Publish', field(1, topic) + field(2, message))
  },
  async find(broker) {
    const maxMessages = '\x18\x01'
    const answer = await call(broker, 'Subscriber/Pull', field(1, subscription) + maxMessages)
    // PullResponse { 1: ReceivedMessage { 1: ack id, 2: PubsubMessage { 1: data } } }
    const received = fields(answer).get(1)
    const message = received === undefined ? undefined : fields(received).get(2)
    return message === undefined ? undefined : fields(message).get(1)
  },
}

/** One unary call; the request and the answer are protobuf, as latin1 text. */
async function call({ url }: Broker, method: string, request: string): Promise<string> {
  const session = connect(`http://${url}`)
  try {
    const stream = session.request({
      ':method': 'POST',
      ':path': `/google.pubsub.v1.${method}`,
      'content-type': 'application/grpc',
      te: 'trailers',
    })
    let status: unknown
    stream.once('trailers', (trailers) => (status = trailers['grpc-status']))
    const frame = Buffer.alloc(5)
    frame.writeUInt32BE(request.length, 1)
    stream.end(Buffer.concat([frame, Buffer.from(request, 'latin1')]))
    stream.setEncoding('latin1')
    let answer = ''
    stream.on('data', (text) => (answer += text))
    await once(stream, 'end')
    if (status !== '0') throw new Error(`${method} ended with the status ${String(status)}`)
    return answer.slice(frame.length)
  } finally {
    session.close()
  }
}

/** A field whose value is text or a message of less than 128 bytes. */
function field(number: number, value: string): string {
  return String.fromCharCode(number * 8 + 2, value.length) + value
}

/** The fields of a message that has short texts and messages only. */
function fields(message: string): Map<number, string> {
  const found = new Map<number, string>()
  for (let at = 0; at < message.length; at += 2 + message.charCodeAt(at + 1)) {
    const end = at + 2 + message.charCodeAt(at + 1)
    found.set(message.charCodeAt(at) >> 3, message.slice(at + 2, end))
  }
  return found
}
