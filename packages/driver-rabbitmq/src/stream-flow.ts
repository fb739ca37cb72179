import { type GapReason, type Receiver, type TopicPattern, TopicSet } from '@asbru/core'
import type { ConsumeMessage } from 'amqplib'
import { Acks } from './acks.ts'
import type { Channels } from './channels.ts'
import type { Flow, Ground } from './flow.ts'
import { incoming, printOf } from './message.ts'
import { offsetOf, type StreamOptions, StreamQueue } from './stream-queue.ts'

/** What a {@link StreamFlow} works with. */
export interface StreamFlowOptions {
  readonly receiver: Receiver
  readonly exchange: string
  readonly stream: StreamOptions
  readonly create: boolean
}

/** There is one log. RabbitMQ does not say when it was made. */
const LOG = { log: 'stream', epoch: '' }

/**
 * A stream that is bound to the exchange with all topics. Every replica follows the whole of it, so that topics
 * come and go without the broker, and a break loses nothing.
 */
export class StreamFlow implements Flow {
  readonly #options: StreamFlowOptions
  readonly #stream: StreamQueue
  readonly #wanted = new TopicSet()
  /** The last message that was read; the stream is another one if that is not in its place any more. */
  #last: Place | undefined

  constructor(options: StreamFlowOptions) {
    const { stream, exchange, create } = options
    this.#options = options
    this.#stream = new StreamQueue({ ...stream, exchange, create })
  }

  async restore({ channels, publisher }: Ground): Promise<void> {
    await this.#stream.find(channels)
    const mark = await this.#stream.mark(channels, publisher)
    const end = offsetOf(mark)
    if (this.#last === undefined) this.#last = { offset: end, message: mark }
    else if (this.#last.offset >= end) this.#startAnew()
    const channel = await channels.open()
    const acks = new Acks(channel)
    let isChecked = false
    const take = (message: ConsumeMessage): void => {
      if (channels.isOver) return
      acks.add(message)
      if (!isChecked) {
        isChecked = true
        if (!this.#goesOnWith(message, channels)) return
      }
      this.#receive(message)
    }
    await this.#stream.follow(channel, Math.max(this.#last.offset, 0), take, (error) =>
      channels.break(error),
    )
  }

  async subscribe(topic: TopicPattern): Promise<void> {
    this.#wanted.add(topic)
  }

  async unsubscribe(topic: TopicPattern): Promise<void> {
    this.#wanted.delete(topic)
  }

  async stop(): Promise<void> {
    // The stream is of all replicas, and a consumer goes with its connection.
  }

  /** Whether the first message that is read is to be handed over: mostly it is the last one again. */
  #goesOnWith(message: ConsumeMessage, channels: Channels): boolean {
    const { offset, message: last } = this.#last!
    if (offsetOf(message) !== offset) return true
    if (last !== undefined && printOf(message) === printOf(last)) return false
    this.#startAnew()
    channels.break(new Error('The stream is another one.'))
    return false
  }

  #startAnew(): void {
    this.#last = { offset: -1 }
    this.#tellGap('log-changed')
  }

  #receive(message: ConsumeMessage): void {
    const { exchange, receiver } = this.#options
    const offset = offsetOf(message)
    if (offset > this.#last!.offset + 1) this.#tellGap('log-trimmed')
    this.#last = { offset, message }
    const { exchange: from, routingKey } = message.fields
    // What came past the exchange is none of ours.
    if (from === exchange && this.#wanted.delivers(routingKey))
      receiver.message(incoming(message, { ...LOG, offset }))
  }

  #tellGap(reason: GapReason): void {
    this.#options.receiver.status({ type: 'gap', reason })
  }
}

interface Place {
  readonly offset: number
  /** Absent before the start of a stream. */
  readonly message?: ConsumeMessage
}
