import {
  type Driver,
  type IncomingMessage,
  matches,
  type Receiver,
  type TopicPattern,
} from '../../src/index.ts'

/** A driver that hears itself, and that a test can have hand over anything at all. */
export interface LoopbackDriver extends Driver {
  /** Hands a message to the Streamer as a broker would, whether anybody subscribed to it or not. */
  hand(message: IncomingMessage | Record<string, unknown>): void
}

/** Makes one. Nothing is checked on the way. */
export function loopbackDriver(): LoopbackDriver {
  const subscribed = new Set<TopicPattern>()
  let receiver: Receiver | undefined
  return {
    name: 'loopback',
    capabilities: {
      patterns: true,
      headers: true,
      positions: false,
      ordering: 'topic',
      shared: false,
    },
    async open(to) {
      receiver = to
      to.status({ type: 'connected' })
    },
    async subscribe(topic) {
      subscribed.add(topic)
    },
    async unsubscribe(topic) {
      subscribed.delete(topic)
    },
    async publish(message) {
      const wanted = [...subscribed].some((topic) => matches(topic, message.topic))
      if (wanted) receiver?.message({ ...message, payload: Buffer.from(message.payload) })
    },
    async close() {
      receiver?.status({ type: 'closed' })
      receiver = undefined
    },
    hand(message) {
      if (receiver === undefined) throw new Error('The driver is not open yet.')
      receiver.message(message as IncomingMessage)
    },
  }
}
