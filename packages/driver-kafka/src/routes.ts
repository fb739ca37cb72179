import { Buffer } from 'node:buffer'
import { crc32 } from 'node:zlib'
import type { OutgoingMessage } from '@asbru/core'
import type { KafkaMessage, Message } from 'kafkajs'

/** Where Asbru topics are in Kafka. */
export interface RouteOptions {
  readonly topics: readonly string[] | RegExp
  readonly topicFrom: 'record' | 'kafka-topic'
}

/** A record as a message, without its position. */
export type Arrived = OutgoingMessage

/** Carries what replicas tell each other, which is no data; and with one Kafka topic each, all reserved topics. */
export const CONTROL_TOPIC = 'asbru-control'

/** Messages to single clients are data, which a client resumes. */
const DIRECT_TOPIC = 'asbru.direct'

/** Which Kafka topic carries which Asbru topic, and how. */
export class Routes {
  readonly #topics: readonly string[] | RegExp
  readonly #isOneToOne: boolean

  constructor({ topics, topicFrom }: RouteOptions) {
    this.#isOneToOne = topicFrom === 'kafka-topic'
    if (topics instanceof RegExp) {
      if (!this.#isOneToOne)
        throw new TypeError("A regular expression of topics is for topicFrom: 'kafka-topic'.")
      // One that remembers where it matched last would find every other topic.
      this.#topics = new RegExp(topics.source, topics.flags.replaceAll(/[gy]/g, ''))
    } else {
      if (topics.length === 0) throw new TypeError('kafkaDriver needs at least one Kafka topic.')
      this.#topics = [...new Set(topics)]
    }
  }

  /** Kafka topics that are known by name. */
  get fixed(): readonly string[] {
    return this.#topics instanceof RegExp ? [CONTROL_TOPIC] : [...this.#topics, CONTROL_TOPIC]
  }

  /** Whether the Kafka topic carries messages of this driver. */
  reads(kafkaTopic: string): boolean {
    if (kafkaTopic === CONTROL_TOPIC) return true
    if (!(this.#topics instanceof RegExp)) return this.#topics.includes(kafkaTopic)
    return !kafkaTopic.startsWith('__') && this.#topics.test(kafkaTopic)
  }

  /** The Kafka topic for an Asbru topic. Throws where there is none. */
  kafkaTopicOf(topic: string): string {
    if (topic.startsWith('asbru.') && (this.#isOneToOne || topic !== DIRECT_TOPIC))
      return CONTROL_TOPIC
    if (this.#isOneToOne) {
      if (this.reads(topic)) return topic
      throw new Error(`There is no Kafka topic for ${topic} among those of the driver.`)
    }
    const topics = this.#topics as readonly string[]
    return topics[topics.length === 1 ? 0 : crc32(topic) % topics.length]!
  }

  recordOf({ topic, payload, event, id }: OutgoingMessage): Message {
    return {
      // The same key, so the same partition, so in order.
      key: topic,
      value: Buffer.from(payload),
      headers: {
        'asbru-topic': topic,
        ...(event !== undefined && { 'asbru-event': event }),
        ...(id !== undefined && { 'asbru-id': id }),
      },
    }
  }

  /** The Asbru topic of a record, or `undefined` for one that says none. */
  topicOf(kafkaTopic: string, { key, headers }: KafkaMessage): string | undefined {
    if (this.#isOneToOne && kafkaTopic !== CONTROL_TOPIC) return kafkaTopic
    const topic = textOf(headers?.['asbru-topic']) ?? key?.toString()
    return topic === '' ? undefined : topic
  }

  messageOf(topic: string, { value, headers }: KafkaMessage): Arrived {
    const event = textOf(headers?.['asbru-event'])
    const id = textOf(headers?.['asbru-id'])
    return {
      topic,
      payload: value === null ? new Uint8Array() : kept(value),
      ...(event !== undefined && { event }),
      ...(id !== undefined && { id }),
    }
  }
}

type Header = Buffer | string | (Buffer | string)[] | undefined

/** Of a header that is repeated, the first counts. */
function textOf(header: Header): string | undefined {
  return (Array.isArray(header) ? header[0] : header)?.toString()
}

/** A payload as it may be kept: not as a small part of the large block that came from the network. */
function kept(payload: Buffer): Buffer {
  return payload.length * 2 < payload.buffer.byteLength ? Buffer.from(payload) : payload
}
