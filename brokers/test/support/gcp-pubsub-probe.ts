import { call, field, fields } from './grpc.ts'
import type { Probe } from './probes.ts'

const topic = 'projects/probe/topics/probe'

/** The subscription of the probe. */
export const subscription = 'projects/probe/subscriptions/probe'

/** A message that a subscription has not delivered yet, by gRPC with messages encoded by hand. */
export const gcpPubsubProbe: Probe = {
  async store(broker, value) {
    await call(broker, 'Publisher/CreateTopic', field(1, topic))
    await call(broker, 'Subscriber/CreateSubscription', field(1, subscription) + field(2, topic))
    await call(broker, 'Publisher/Publish', field(1, topic) + field(2, field(1, value)))
  },
  async find(broker) {
    const maxMessages = '\x18\x01'
    const answer = await call(broker, 'Subscriber/Pull', field(1, subscription) + maxMessages)
    // PullResponse { 1: ReceivedMessage { 1: ack id, 2: PubsubMessage { 1: data } } }
    const received = fields(answer).get(1)
    const ackId = received === undefined ? undefined : fields(received).get(1)
    const message = received === undefined ? undefined : fields(received).get(2)
    if (ackId === undefined || message === undefined) return undefined
    await call(broker, 'Subscriber/Acknowledge', field(1, subscription) + field(2, ackId))
    return fields(message).get(1)
  },
}
