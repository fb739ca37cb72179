import { Buffer } from 'node:buffer'
import { randomUUID } from 'node:crypto'
import type { Channel, ConsumeMessage } from 'amqplib'
import { type Channels, ifFound } from './channels.ts'
import { within } from './patience.ts'
import type { Publisher } from './publisher.ts'

/** A stream of RabbitMQ that holds what is published to the exchange. */
export interface StreamOptions {
  /** Its name. One that is there is used as it is. */
  name: string
  /** How long a stream that the driver makes keeps a message, in milliseconds. @default 3_600_000 */
  maxAgeMs?: number
  /** How many bytes of messages a stream that the driver makes keeps. @default 268_435_456 */
  maxBytes?: number
}

/** How many messages the broker sends before one of them is acknowledged. */
const PREFETCH = 1_000
const HOUR_MS = 3_600_000
const QUARTER_GIBIBYTE = 268_435_456
/** RabbitMQ drops whole segments. */
const SEGMENTS = 8
/** The type of messages that replicas put into the stream to see where its end is. */
const MARK = 'asbru-mark'
const MARK_MS = 10_000

/** The stream that all replicas follow. */
export class StreamQueue {
  readonly #options: StreamOptions & { readonly create: boolean; readonly exchange: string }

  constructor(options: StreamOptions & { readonly create: boolean; readonly exchange: string }) {
    this.#options = options
  }

  /** Returns whether it had to be made. */
  async find(channels: Channels): Promise<boolean> {
    const { name, create, exchange } = this.#options
    const check = channels.aside((channel) => channel.checkQueue(name))
    if (!create) {
      await check
      return false
    }
    const isNew = (await ifFound(check)) === undefined
    if (isNew) await channels.aside((channel) => this.#make(channel))
    await channels.aside((channel) => channel.bindQueue(name, exchange, '#'))
    return isNew
  }

  /** Puts a mark at its end, and returns it as it is there. */
  async mark(channels: Channels, publisher: Publisher): Promise<ConsumeMessage> {
    const { name } = this.#options
    const messageId = randomUUID()
    return channels.aside((channel) => {
      const found = new Promise<ConsumeMessage>((resolve, reject) => {
        channel.on('close', () => reject(new Error('The channel was closed.')))
        const take = (message: ConsumeMessage): void => {
          channel.ack(message)
          if (message.properties.messageId === messageId) resolve(message)
        }
        // Begun before, since others may write behind the mark at once.
        this.#consume(channel, 'last', take, reject)
          .then(() => publisher.sendTo(name, Buffer.alloc(0), { type: MARK, messageId }))
          .catch(reject)
      })
      return within(found, MARK_MS)
    })
  }

  /** Calls `take` with all messages from an offset on, and `onEnd` if the stream goes away. */
  async follow(
    channel: Channel,
    offset: number,
    take: (message: ConsumeMessage) => void,
    onEnd: (error: Error) => void,
  ): Promise<void> {
    await this.#consume(channel, offset, take, onEnd)
  }

  async #consume(
    channel: Channel,
    from: number | 'last',
    take: (message: ConsumeMessage) => void,
    onEnd: (error: Error) => void,
  ): Promise<void> {
    const { name } = this.#options
    await channel.prefetch(PREFETCH)
    const each = (message: ConsumeMessage | null): void => {
      if (message === null) onEnd(new Error(`The stream ${name} was deleted.`))
      else take(message)
    }
    await channel.consume(name, each, { arguments: { 'x-stream-offset': from } })
  }

  async #make(channel: Channel): Promise<void> {
    const { name, maxAgeMs = HOUR_MS, maxBytes = QUARTER_GIBIBYTE } = this.#options
    await channel.assertQueue(name, {
      durable: true,
      arguments: {
        'x-queue-type': 'stream',
        'x-max-age': `${Math.max(1, Math.round(maxAgeMs / 1_000))}s`,
        'x-max-length-bytes': maxBytes,
        'x-stream-max-segment-size-bytes': Math.ceil(maxBytes / SEGMENTS),
      },
    })
  }
}

/** Where a message stands in its stream. */
export function offsetOf({ properties }: ConsumeMessage): number {
  return Number(properties.headers?.['x-stream-offset'])
}
