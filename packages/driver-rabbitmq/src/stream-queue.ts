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
const SEARCH_MS = 10_000

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

  /** Whether a message came by the exchange: what came past it is none of ours. */
  isData({ fields }: ConsumeMessage): boolean {
    return fields.exchange === this.#options.exchange
  }

  /** The id of a mark that is yet to be put there. */
  newMark(): string {
    return randomUUID()
  }

  /** Puts a mark at its end; resolves once it is there. */
  async put(messageId: string, publisher: Publisher): Promise<void> {
    await publisher.sendTo(this.#options.name, Buffer.alloc(0), { type: MARK, messageId })
  }

  /** Puts a mark at its end, and returns it as it is there. */
  mark(channels: Channels, publisher: Publisher): Promise<ConsumeMessage> {
    const id = this.newMark()
    return this.#find(channels, {
      from: 'last',
      isIt: ({ properties }) => properties.messageId === id,
      begun: () => this.put(id, publisher),
    })
  }

  /** The offset of the first message that is no older than so many milliseconds, by this machine's clock. */
  async firstSince(ageMs: number, channels: Channels, publisher: Publisher): Promise<number> {
    const value = Math.floor((Date.now() - ageMs) / 1_000)
    const first = await this.#find(channels, {
      from: { '!': 'timestamp', value },
      isIt: () => true,
      // There is one at least, though the clocks of this machine and the broker's may differ.
      begun: () => this.put(this.newMark(), publisher),
    })
    return offsetOf(first)
  }

  /** The offset of the last message of ours before that at `limit`; before the first that is left if there is none. */
  async lastBefore(limit: number, channels: Channels): Promise<number> {
    for (let span = 16; ; span *= 16) {
      const from = Math.max(0, limit - span)
      let first: number | undefined
      let last: number | undefined
      await this.#find(channels, {
        from,
        isIt: (message) => {
          const offset = offsetOf(message)
          first ??= offset
          if (offset < limit && this.isData(message)) last = offset
          return offset >= limit
        },
      })
      if (last !== undefined) return last
      if (from === 0 || first! > from) return Math.min(first!, limit) - 1
    }
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

  /** Reads from somewhere on to a message that is looked for. */
  #find(channels: Channels, { from, isIt, begun }: Search): Promise<ConsumeMessage> {
    return channels.aside((channel) => {
      const found = new Promise<ConsumeMessage>((resolve, reject) => {
        channel.on('close', () => reject(new Error('The channel was closed.')))
        let isFound = false
        const take = (message: ConsumeMessage): void => {
          if (isFound) return
          channel.ack(message)
          isFound = isIt(message)
          if (isFound) resolve(message)
        }
        // Begun before, since others may write behind the mark at once.
        this.#consume(channel, from, take, reject).then(begun).catch(reject)
      })
      return within(found, SEARCH_MS)
    })
  }

  async #consume(
    channel: Channel,
    from: From,
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

/** Where reading begins: an offset, the last chunk, or a time in seconds. */
type From = number | 'last' | { readonly '!': 'timestamp'; readonly value: number }

/** What is looked for in a stream. */
interface Search {
  readonly from: From
  readonly isIt: (message: ConsumeMessage) => boolean
  /** Called once it is read from there. */
  readonly begun?: () => Promise<void>
}

/** Where a message stands in its stream. */
export function offsetOf({ properties }: ConsumeMessage): number {
  return Number(properties.headers?.['x-stream-offset'])
}
