import type { Driver, Receiver } from '@asbru/core'
import { clientsOf, type KafkaSource } from './clients.ts'
import { Routes } from './routes.ts'
import { Session } from './session.ts'

/** What a {@link kafkaDriver} may be told. */
export type KafkaDriverOptions = KafkaSource & {
  /**
   * The Kafka topics that carry messages; with `topicFrom: 'kafka-topic'` also a regular expression. Of several,
   * Asbru publishes a topic to that at the CRC-32 of its UTF-8, modulo their number.
   *
   * @default ['asbru']
   */
  topics?: readonly string[] | RegExp
  /**
   * Where a record says its topic: in its header `asbru-topic` or else its key, or by the Kafka topic it is in.
   *
   * @default 'record'
   */
  topicFrom?: 'record' | 'kafka-topic'
  /**
   * Whether Kafka topics that do not exist are made.
   *
   * @default true
   */
  create?: boolean
  /**
   * How many partitions a Kafka topic gets that is made.
   *
   * @default 4
   */
  partitions?: number
  /**
   * How long a Kafka topic that is made keeps messages, in milliseconds.
   *
   * @default 3_600_000
   */
  retentionMs?: number
  /**
   * Begins the names of consumer groups, of which each replica has one.
   *
   * @default 'asbru-'
   */
  groupPrefix?: string
  /**
   * How long `open` waits for a Kafka that is absent, in milliseconds; 0 is for ever.
   *
   * @default 10_000
   */
  startTimeoutMs?: number
}

/**
 * Messages travel through Kafka topics, of which each may carry many topics. Every replica reads all partitions by
 * their offsets and goes on where it was, so that an outage loses and repeats nothing.
 *
 * @example
 * const streamer = new Streamer({ driver: kafkaDriver({ connection: { brokers: ['127.0.0.1:9092'] } }) })
 */
export function kafkaDriver(options: KafkaDriverOptions = {}): Driver {
  const {
    topics = ['asbru'],
    topicFrom = 'record',
    create = true,
    startTimeoutMs = 10_000,
  } = options
  const { partitions = 4, retentionMs = 3_600_000, groupPrefix = 'asbru-' } = options
  const routes = new Routes({ topics, topicFrom })
  let receiver: Receiver | undefined
  let current: Session | undefined
  let isOpen = false
  let closing: Promise<void> | undefined

  return {
    name: 'kafka',
    capabilities: {
      patterns: true,
      headers: true,
      positions: true,
      ordering: 'topic',
      shared: true,
    },

    async open(to, open) {
      if (closing !== undefined) throw new Error('The kafka driver was closed.')
      const session = new Session({
        clients: clientsOf(options),
        routes,
        create: create ? { partitions, retentionMs } : undefined,
        groupPrefix,
        receiver: {
          message: (message) => closing === undefined && to.message(message),
          status: (status) => closing === undefined && to.status(status),
        },
        open,
      })
      current = session
      receiver = to
      try {
        await session.start(startTimeoutMs)
      } catch (error) {
        await session.stop()
        throw error
      }
      isOpen = true
    },

    async subscribe(topic) {
      opened().subscribe(topic)
    },

    async unsubscribe(topic) {
      opened().unsubscribe(topic)
    },

    async publish(message) {
      await opened().publish(message)
    },

    async catchUp() {
      await opened().catchUp()
    },

    close() {
      return (closing ??= close())
    },
  }

  async function close(): Promise<void> {
    await current?.stop()
    receiver?.status({ type: 'closed' })
  }

  function opened(): Session {
    if (current === undefined || !isOpen || closing !== undefined)
      throw new Error('The kafka driver is not open.')
    return current
  }
}
