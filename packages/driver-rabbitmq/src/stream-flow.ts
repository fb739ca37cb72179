import { setImmediate as turn } from 'node:timers/promises'
import { CONTROL_PREFIX, type GapReason, type Receiver, type TopicPattern } from '@asbru/core'
import type { ConsumeMessage } from 'amqplib'
import { Acks } from './acks.ts'
import type { Channels } from './channels.ts'
import { ControlQueue } from './control-queue.ts'
import type { Flow, Ground } from './flow.ts'
import { incoming, printOf } from './message.ts'
import { offsetOf, type StreamOptions, StreamQueue } from './stream-queue.ts'

/** What a {@link StreamFlow} works with. */
export interface StreamFlowOptions {
  readonly receiver: Receiver
  readonly exchange: string
  /** The exchange of what goes beside the stream. */
  readonly controlExchange: string
  readonly stream: StreamOptions
  readonly create: boolean
  /** From how long ago on messages are handed over at first, in milliseconds. */
  readonly backlogMs: number
}

/** There is one log. RabbitMQ does not say when it was made. */
const LOG = { log: 'stream', epoch: '' }

/**
 * A stream that is bound to the exchange with all topics. Every replica is handed the whole of it, so that topics
 * come and go without the broker, and a break loses nothing. What replicas tell each other goes beside it.
 */
export class StreamFlow implements Flow {
  readonly #options: StreamFlowOptions
  readonly #stream: StreamQueue
  readonly #control: ControlQueue
  /** The last message that was read; the stream is another one if that is not in its place any more. */
  #last: Place | undefined
  /** What the stream held at first ends there. */
  #backlogEnd = -1
  /** Those who wait for a mark, by its id, or for the end of the backlog. */
  readonly #waiting = new Map<string | symbol, Waiter>()
  #catchingUp: Promise<void> | undefined

  constructor(options: StreamFlowOptions) {
    const { receiver, controlExchange, create } = options
    this.#options = options
    this.#stream = new StreamQueue({ ...options.stream, exchange: options.exchange, create })
    this.#control = new ControlQueue({ receiver, exchange: controlExchange, create })
  }

  async restore({ channels, publisher }: Ground): Promise<void> {
    await this.#control.restore(channels)
    await this.#stream.find(channels)
    const mark = await this.#stream.mark(channels, publisher)
    const end = offsetOf(mark)
    if (this.#last === undefined) await this.#begin(mark, { channels, publisher })
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
    const { offset, message: last } = this.#last!
    const from = last === undefined ? offset + 1 : offset
    await this.#stream.follow(channel, from, take, (error) => channels.break(error))
  }

  async begun(): Promise<void> {
    if (this.#last!.offset < this.#backlogEnd) await this.#until(BACKLOG)
  }

  lost(): void {
    for (const { reject } of this.#waiting.values()) reject(new Error('RabbitMQ is out of reach.'))
    this.#waiting.clear()
  }

  catchUp({ publisher }: Ground): Promise<void> {
    // Calls that come before the mark is put there share it.
    return (this.#catchingUp ??= this.#catchUp(publisher))
  }

  async subscribe(topic: TopicPattern): Promise<void> {
    if (topic.startsWith(CONTROL_PREFIX)) await this.#control.subscribe(topic)
  }

  async unsubscribe(topic: TopicPattern): Promise<void> {
    await this.#control.unsubscribe(topic)
  }

  async stop(): Promise<void> {
    // The stream is of all replicas, and a consumer goes with its connection.
    this.lost()
  }

  /** Takes the end for the place to go on from, or the first message that is young enough. */
  async #begin(
    mark: ConsumeMessage,
    { channels, publisher }: Pick<Ground, 'channels' | 'publisher'>,
  ): Promise<void> {
    const { backlogMs } = this.#options
    const end = offsetOf(mark)
    const first =
      backlogMs === 0 ? end : await this.#stream.firstSince(backlogMs, channels, publisher)
    const begin = await this.#stream.lastBefore(first, channels)
    this.#last = backlogMs === 0 ? { offset: end, message: mark } : { offset: first - 1 }
    this.#backlogEnd = end
    this.#tellLog(begin)
  }

  async #catchUp(publisher: Ground['publisher']): Promise<void> {
    await turn()
    this.#catchingUp = undefined
    const id = this.#stream.newMark()
    const read = this.#until(id)
    try {
      await Promise.all([this.#stream.put(id, publisher), read])
    } finally {
      this.#waiting.delete(id)
    }
  }

  /** Resolves once the mark, or the end of the backlog, is read; rejects if the connection is lost before. */
  #until(id: string | symbol): Promise<void> {
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }))
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
    this.#goOnBehind(-1, 'log-changed')
  }

  #receive(message: ConsumeMessage): void {
    const offset = offsetOf(message)
    if (offset > this.#last!.offset + 1) this.#goOnBehind(offset - 1, 'log-trimmed')
    this.#last = { offset, message }
    const { routingKey } = message.fields
    // What goes beside the stream is not taken from it.
    if (this.#stream.isData(message) && !routingKey.startsWith(CONTROL_PREFIX))
      this.#options.receiver.message(incoming(message, { ...LOG, offset }))
    if (this.#waiting.size > 0) this.#passed(message, offset)
  }

  #passed({ properties }: ConsumeMessage, offset: number): void {
    this.#waiting.get(properties.messageId as string)?.resolve()
    if (offset < this.#backlogEnd) return
    this.#waiting.get(BACKLOG)?.resolve()
    this.#waiting.delete(BACKLOG)
  }

  #goOnBehind(offset: number, reason: GapReason): void {
    this.#last = { offset }
    this.#options.receiver.status({ type: 'gap', reason })
    this.#tellLog(offset)
  }

  #tellLog(offset: number): void {
    this.#options.receiver.status({ type: 'log', position: { ...LOG, offset } })
  }
}

/** Stands for the end of the backlog among the marks. */
const BACKLOG = Symbol('backlog')

interface Waiter {
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

interface Place {
  readonly offset: number
  /** Absent where nothing was read yet. */
  readonly message?: ConsumeMessage
}
