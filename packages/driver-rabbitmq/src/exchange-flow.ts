import type { GapReason, OpenOptions, Receiver, TopicPattern } from '@asbru/core'
import { type Channel, type ConsumeMessage, IllegalOperationError } from 'amqplib'
import { Acks } from './acks.ts'
import { Bindings } from './bindings.ts'
import { type Channels, codeOf } from './channels.ts'
import type { Flow, Ground } from './flow.ts'
import { HandedOver } from './handed-over.ts'
import { HeldTopics } from './held-topics.ts'
import { incoming, printOf } from './message.ts'
import { type QueueOptions, ReplicaQueue } from './replica-queue.ts'

/** What an {@link ExchangeFlow} works with. */
export interface ExchangeFlowOptions {
  readonly receiver: Receiver
  readonly open: OpenOptions
  readonly exchange: string
  readonly queue: QueueOptions
}

/** How many messages the broker sends before one of them is acknowledged. */
const PREFETCH = 1_000
const ACCESS_REFUSED = 403
/** How often it is made sure that acknowledgements have arrived. */
const CONFIRM_EVERY_MS = 100

/** One queue with a binding for each topic: it gets each message once, however many bindings match. */
export class ExchangeFlow implements Flow {
  readonly #options: ExchangeFlowOptions
  readonly #queue: ReplicaQueue
  readonly #held = new HeldTopics()
  /** Topics that may be bound though nobody wants them. */
  readonly #stale = new Set<TopicPattern>()
  readonly #handedOver = new HandedOver(PREFETCH)
  #bindings: Bindings | undefined

  constructor(options: ExchangeFlowOptions) {
    this.#options = options
    this.#queue = new ReplicaQueue(options.open, options.queue)
  }

  async restore({ channels, publisher, isExchangeNew }: Ground): Promise<void> {
    const isFirst = this.#bindings === undefined
    const fate = await this.#queue.restore(channels, publisher)
    const bindings = new Bindings(channels, this.#queue.name, this.#options.exchange)
    if (fate.isNew) this.#stale.clear()
    await Promise.all([
      ...[...this.#stale].map((topic) => this.#unbind(topic, bindings)),
      ...[...this.#held].map((topic) => this.#bindAgain(topic, bindings)),
    ])
    const gap = fate.gap ?? (isExchangeNew && !isFirst ? 'broker-reconnected' : undefined)
    if (gap !== undefined && this.#held.size > 0) this.#tellGap(gap)
    this.#bindings = bindings
    this.#handedOver.begin(fate.wasRestarted)
    await this.#queue.watch(await channels.open(), () => {
      if (!channels.isOver) this.#tellGap('messages-dropped')
    })
    await this.#consume(await channels.open(), channels)
  }

  subscribe(topic: TopicPattern): Promise<void> {
    return this.#held.hold(topic, () => this.#bind(topic, this.#bindings!))
  }

  async unsubscribe(topic: TopicPattern): Promise<void> {
    if (!this.#held.drop(topic)) return
    this.#stale.add(topic)
    // What cannot be unbound now is so with the next connection.
    await this.#unbind(topic, this.#bindings!).catch(() => {})
  }

  async stop({ channels }: Ground): Promise<void> {
    await channels.aside((channel) => this.#queue.delete(channel))
  }

  async #bind(topic: TopicPattern, bindings: Bindings): Promise<void> {
    this.#stale.delete(topic)
    try {
      await bindings.add(topic)
    } catch (error) {
      this.#stale.add(topic)
      throw error
    }
  }

  async #bindAgain(topic: TopicPattern, bindings: Bindings): Promise<void> {
    try {
      await bindings.add(topic)
    } catch (error) {
      if (codeOf(error) !== ACCESS_REFUSED) throw error
      this.#held.drop(topic)
      this.#options.receiver.status({ type: 'topicFailed', topic, error })
    }
  }

  async #unbind(topic: TopicPattern, bindings: Bindings): Promise<void> {
    await bindings.delete(topic)
    this.#stale.delete(topic)
  }

  async #consume(channel: Channel, channels: Channels): Promise<void> {
    await channel.prefetch(PREFETCH)
    const acks = new Acks(channel, this.#confirming(channel))
    const take = (message: ConsumeMessage | null): void => {
      if (message === null) channels.break(new IllegalOperationError('The queue was deleted.'))
      else if (!channels.isOver) this.#receive(message, acks)
    }
    await channel.consume(this.#queue.name, take, { exclusive: true })
  }

  #receive(message: ConsumeMessage, acks: Acks): void {
    acks.add(message)
    const { routingKey, redelivered } = message.fields
    const isNew = this.#handedOver.isNew(printOf(message), redelivered)
    // A pattern also brings reserved topics, and a binding that is ending may bring more.
    if (isNew && this.#held.delivers(routingKey)) this.#options.receiver.message(incoming(message))
  }

  /** Acknowledgements have no answer, but what is asked after them on their channel has one. */
  #confirming(channel: Channel): () => void {
    const handedOver = this.#handedOver
    let isAsking = false
    let added = 0
    const ask = async (): Promise<void> => {
      const before = handedOver.open
      added = 0
      try {
        await channel.prefetch(PREFETCH)
        handedOver.confirm(handedOver.open - before)
      } catch {
        return
      }
      setTimeout(() => {
        isAsking = false
        if (added > 0) start()
      }, CONFIRM_EVERY_MS).unref()
    }
    const start = (): void => {
      isAsking = true
      void ask()
    }
    return () => {
      added++
      if (!isAsking) start()
    }
  }

  #tellGap(reason: GapReason): void {
    this.#options.receiver.status({ type: 'gap', reason })
  }
}
