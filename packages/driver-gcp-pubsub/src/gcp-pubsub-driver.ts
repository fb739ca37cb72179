import { type Driver, type Receiver, TopicSet } from '@asbru/core'
import { Link, type PubsubSource } from './link.ts'
import { incoming } from './message.ts'
import { Session } from './session.ts'
import { isNotFound, isPassing } from './status-code.ts'

/** Pub/Sub may give a message to one replica seconds later than to another. */
const OVERLAP_MS = 10_000

/** What a {@link gcpPubsubDriver} may be told. */
export type GcpPubsubDriverOptions = PubsubSource & {
  /**
   * The Pub/Sub topic that carries all topics of Asbru: an id, or a full name.
   *
   * @default 'asbru'
   */
  topic?: string
  /**
   * Where a message says its topic: in its attribute `asbru-topic`; or, if it has none, by the
   * Pub/Sub topic that it was published to, whose id then is the topic.
   *
   * @default 'attribute'
   */
  topicFrom?: 'attribute' | 'pubsub-topic'
  /**
   * Whether a Pub/Sub topic that is absent is made.
   *
   * @default true
   */
  create?: boolean
  /**
   * How long `open` waits for a service that is out of reach, in milliseconds; 0 is for ever.
   *
   * @default 10_000
   */
  startTimeoutMs?: number
  /**
   * How long Pub/Sub may take to answer, to a publish for example, in milliseconds.
   *
   * @default 5_000
   */
  timeoutMs?: number
}

/**
 * Messages travel through one topic of Google Cloud Pub/Sub, with a subscription for each replica. They arrive
 * once, in the order of their topic, and also those published while a replica was cut off.
 *
 * @example
 * const streamer = new Streamer({ driver: gcpPubsubDriver({ connection: { projectId: 'my-project' } }) })
 */
export function gcpPubsubDriver(options: GcpPubsubDriverOptions = {}): Driver {
  const {
    topic: pubsubTopic = 'asbru',
    topicFrom = 'attribute',
    create = true,
    startTimeoutMs = 10_000,
    timeoutMs = 5_000,
    ...source
  } = options
  const otherTopic = topicFrom === 'pubsub-topic' ? pubsubTopic.split('/').at(-1)! : undefined
  const topics = new TopicSet()
  let receiver: Receiver | undefined
  let current: { readonly link: Link; readonly session: Session } | undefined
  let isOpen = false
  let closing: Promise<void> | undefined

  return {
    name: 'gcp-pubsub',
    capabilities: {
      patterns: true,
      headers: true,
      positions: false,
      overlapMs: OVERLAP_MS,
      ordering: 'publisher',
      shared: true,
    },

    async open(to, openOptions) {
      if (closing !== undefined) throw new Error('The gcp-pubsub driver was closed.')
      receiver = to
      const link = new Link({
        ...source,
        topic: pubsubTopic,
        replica: openOptions.replica,
        timeoutMs,
      })
      const session = new Session({
        ...openOptions,
        link,
        create,
        timeoutMs,
        receiver: to,
        onMessage(message) {
          const received = incoming(message, otherTopic)
          if (received !== undefined && topics.delivers(received.topic)) to.message(received)
        },
      })
      current = { link, session }
      try {
        await session.start(startTimeoutMs)
      } catch (error) {
        await session.stop()
        throw error
      }
      isOpen = true
    },

    // The subscription on the broker has everything from `open` on.
    async subscribe(topic) {
      opened()
      topics.add(topic)
    },

    async unsubscribe(topic) {
      opened()
      topics.delete(topic)
    },

    async publish(message) {
      const { link, session } = opened()
      try {
        await link.publish(message)
      } catch (error) {
        if (isPassing(error) || isNotFound(error)) session.doubt()
        throw error
      }
    },

    close() {
      return (closing ??= close())
    },
  }

  async function close(): Promise<void> {
    await current?.session.stop()
    receiver?.status({ type: 'closed' })
  }

  function opened(): { readonly link: Link; readonly session: Session } {
    if (current === undefined || !isOpen || closing !== undefined)
      throw new Error('The gcp-pubsub driver is not open.')
    return current
  }
}
