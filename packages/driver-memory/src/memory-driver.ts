import { Buffer } from 'node:buffer'
import { type Driver, type OutgoingMessage, type Receiver, TopicSet } from '@asbru/core'

/** What a {@link memoryDriver} may be told. */
export interface MemoryDriverOptions {
  /** Shared by the drivers of one process that are to hear each other. @default one of its own */
  broker?: MemoryBroker
}

/** A broker within one process: what is published is gone once it was handed over. */
export interface MemoryBroker {
  /** Hands a message to all drivers on this broker, in the order of the calls. */
  publish(message: OutgoingMessage): void
  /** Adds a reader; the returned function takes it away. */
  join(reader: (message: OutgoingMessage) => void): () => void
}

/** Makes a broker for several {@link memoryDriver}s. */
export function memoryBroker(): MemoryBroker {
  const readers = new Set<(message: OutgoingMessage) => void>()
  return {
    publish(message) {
      // The publisher may use its buffer again. Not by `slice`, by which a Buffer shares its memory.
      const kept = { ...message, payload: Buffer.from(message.payload) }
      for (const reader of readers) reader(kept)
    },
    join(reader) {
      readers.add(reader)
      return () => readers.delete(reader)
    },
  }
}

/**
 * The embedded default: messages stay in this process. Delivery is exact and in order, and nothing
 * survives the process.
 *
 * @example
 * const streamer = new Streamer({ driver: memoryDriver() })
 */
export function memoryDriver({ broker: given }: MemoryDriverOptions = {}): Driver {
  const broker = given ?? memoryBroker()
  const topics = new TopicSet()
  let receiver: Receiver | undefined
  let leave: (() => void) | undefined
  let closed = false

  return {
    name: 'memory',
    capabilities: {
      patterns: true,
      headers: true,
      positions: false,
      ordering: 'topic',
      shared: given !== undefined,
    },

    async open(to) {
      if (closed) throw new Error('The memory driver was closed.')
      receiver = to
      leave = broker.join((message) => {
        if (topics.delivers(message.topic)) to.message(message)
      })
      to.status({ type: 'connected' })
    },

    async subscribe(topic) {
      mustBeOpen()
      topics.add(topic)
    },

    async unsubscribe(topic) {
      mustBeOpen()
      topics.delete(topic)
    },

    async publish(message) {
      mustBeOpen()
      broker.publish(message)
    },

    async close() {
      if (closed) return
      closed = true
      leave?.()
      receiver?.status({ type: 'closed' })
    },
  }

  function mustBeOpen(): void {
    if (leave === undefined || closed) throw new Error('The memory driver is not open.')
  }
}
