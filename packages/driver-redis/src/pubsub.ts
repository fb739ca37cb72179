import { Buffer, isUtf8 } from 'node:buffer'
import type { Receiver } from '@asbru/core'
import { bufferOf, kept } from './bytes.ts'
import { CHANGE_TIMEOUT_MS, type Connect } from './connect.ts'
import { Copies } from './copies.ts'
import { Health } from './health.ts'
import { Link } from './link.ts'
import type { Mode } from './mode.ts'
import { Subscriptions } from './subscriptions.ts'

/**
 * Plain pub/sub: what Redis publishes while a connection is lost is lost, and told as a `gap`. All
 * subscriptions are on one connection, since only there their copies of a message stand together.
 */
export function pubsubMode(connect: Connect, prefix: string, receiver: Receiver): Mode {
  const health = new Health((status) => receiver.status(status))
  const copies = new Copies()
  const subscriptions = new Subscriptions(prefix, {
    confirmed: () => copies.subscriptionsChanged(),
    refused: (topic, error) => receiver.status({ type: 'topicFailed', topic, error }),
  })
  /** Whether everything that is wanted arrives; what comes before is part of the gap. */
  let isComplete = true
  let mayHaveMissed = false

  const publisher: Link = new Link(connect(), {
    ready: () => health.up(publisher),
    lost: (error) => health.down(publisher, error),
  })
  const subscriber: Link = new Link(connect({ commandTimeout: CHANGE_TIMEOUT_MS }), {
    ready() {
      copies.subscriptionsChanged()
      mayHaveMissed ||= !isComplete && !subscriptions.isEmpty
      subscriptions.restore(subscriber.redis, restored)
    },
    lost(error) {
      mayHaveMissed ||= !subscriptions.isEmpty
      isComplete = false
      health.down(subscriber, error)
    },
  })
  const prefixBytes = Buffer.byteLength(prefix)
  subscriber.redis.on('messageBuffer', (channel: Buffer, payload: Buffer) => {
    deliver('', channel, payload)
  })
  subscriber.redis.on('pmessageBuffer', (glob: string, channel: Buffer, payload: Buffer) => {
    deliver(glob, channel, payload)
  })

  return {
    async start(timeoutMs) {
      await Promise.all([publisher.start(timeoutMs), subscriber.start(timeoutMs)])
      receiver.status({ type: 'connected' })
      health.started()
    },
    subscribe: (topic) => subscriptions.add(topic, subscriber.redis),
    unsubscribe: (topic) => subscriptions.delete(topic, subscriber.redis),
    async publish({ topic, payload }) {
      publisher.gather()
      await publisher.redis.publish(prefix + topic, bufferOf(payload))
    },
    async stop() {
      await Promise.all([publisher.end(), subscriber.end()])
    },
  }

  function restored(): void {
    isComplete = true
    if (mayHaveMissed) receiver.status({ type: 'gap', reason: 'broker-reconnected' })
    mayHaveMissed = false
    health.up(subscriber)
  }

  function deliver(by: string, channel: Buffer, payload: Buffer): void {
    if (!isComplete || !copies.isFirst(by, channel, payload)) return
    // No topic has such a name, and as text it might look like another one.
    if (by !== '' && !isUtf8(channel)) return
    const topic = channel.toString('utf8', prefixBytes)
    if (subscriptions.delivers(topic)) receiver.message({ topic, payload: kept(payload) })
  }
}
