import { Buffer } from 'node:buffer'
import { crc32 } from 'node:zlib'
import { CONTROL_PREFIX, type OutgoingMessage } from '@asbru/core'
import type { KafkaMessage, Message } from 'kafkajs'

/** Where Asbru topics are in Kafka. */
export interface RouteOptions {
  readonly topics: readonly string[] | RegExp
  readonly topicFrom: 'record' | 'kafka-topic'
}

/** A record as a message, without its position. */
export type Arrived = OutgoingMessage

/** Carries what replicas tell each other, which is no data. */
export const CONTROL_TOPIC = 'asbru-control'

/** Where each topic has a Kafka topic of its name, carries messages to single clients, which are data. */
const DIRECT_TOPIC = 'asbru-direct'

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
    const own = this.#isOneToOne ? [DIRECT_TOPIC, CONTROL_TOPIC] : [CONTROL_TOPIC]
    return this.#topics instanceof RegExp ? own : [...this.#topics, ...own]
  }

  /** Whether the Kafka topic carries messages of this driver. */
  reads(kafkaTopic: string): boolean {
    if (kafkaTopic === CONTROL_TOPIC || this.#isOfDirect(kafkaTopic)) return true
    if (!(this.#topics instanceof RegExp)) return this.#topics.includes(kafkaTopic)
    return !kafkaTopic.startsWith('__') && this.#topics.test(kafkaTopic)
  }

  /** The Kafka topic for an Asbru topic. Throws where there is none. */
  kafkaTopicOf(topic: string): string {
    if (topic.startsWith(CONTROL_PREFIX)) return CONTROL_TOPIC
    if (this.#isOneToOne) {
      if (topic.startsWith('asbru.')) return DIRECT_TOPIC
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

  /** The Asbru topic of a record, or `undefined` for one that says none that belongs there. */
  topicOf(kafkaTopic: string, { key, headers }: KafkaMessage): string | undefined {
    if (this.#isOneToOne && kafkaTopic !== CONTROL_TOPIC && !this.#isOfDirect(kafkaTopic))
      return kafkaTopic
    const topic = textOf(headers?.['asbru-topic']) ?? key?.toString()
    if (topic === undefined || topic === '') return undefined
    // What goes beside the data is not taken from it, nor data from there.
    return topic.startsWith(CONTROL_PREFIX) === (kafkaTopic === CONTROL_TOPIC) ? topic : undefined
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

  #isOfDirect(kafkaTopic: string): boolean {
    return this.#isOneToOne && kafkaTopic === DIRECT_TOPIC
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
