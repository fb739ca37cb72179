import type { Receiver, TopicPattern } from '@asbru/core'
import { type ConsumeMessage, IllegalOperationError } from 'amqplib'
import { Bindings } from './bindings.ts'
import type { Channels } from './channels.ts'
import { HeldTopics } from './held-topics.ts'
import { incoming } from './message.ts'

/**
 * How long the queue of a connection that was lost with the broker is left, in milliseconds. It is durable for this:
 * RabbitMQ before 4.0.7 may not start again after a crash while an exclusive queue is bound
 * (https://github.com/rabbitmq/rabbitmq-server/issues/13352).
 */
const expires = 60_000

/** What a {@link ControlQueue} works with. */
export interface ControlQueueOptions {
  readonly receiver: Receiver
  readonly exchange: string
  /** Whether an exchange that is absent is made. */
  readonly create: boolean
}

/**
 * What replicas tell each other beside a stream: an exchange of its own, and for each connection a queue that goes
 * with it, or soon after an outage of the broker. What is missed between two connections is missed.
 */
export class ControlQueue {
  readonly #options: ControlQueueOptions
  readonly #held = new HeldTopics()
  #bindings: Bindings | undefined

  constructor(options: ControlQueueOptions) {
    this.#options = options
  }

  async restore(channels: Channels): Promise<void> {
    const { exchange, create } = this.#options
    await channels.aside((channel) =>
      create
        ? channel.assertExchange(exchange, 'topic', { durable: true })
        : channel.checkExchange(exchange),
    )
    const channel = await channels.open()
    const { queue } = await channel.assertQueue('', { durable: true, autoDelete: true, expires })
    const take = (message: ConsumeMessage | null): void => {
      if (message === null) channels.break(new IllegalOperationError('The queue was deleted.'))
      else if (!channels.isOver) this.#receive(message)
    }
    await channel.consume(queue, take, { noAck: true, exclusive: true })
    const bindings = new Bindings(channels, queue, exchange)
    await Promise.all([...this.#held].map((topic) => bindings.add(topic)))
    this.#bindings = bindings
  }

  subscribe(topic: TopicPattern): Promise<void> {
    return this.#held.hold(topic, () => this.#bindings!.add(topic))
  }

  async unsubscribe(topic: TopicPattern): Promise<void> {
    if (!this.#held.drop(topic)) return
    // What cannot be unbound now is so with the next connection.
    await this.#bindings!.delete(topic).catch(() => {})
  }

  #receive(message: ConsumeMessage): void {
    if (this.#held.delivers(message.fields.routingKey))
      this.#options.receiver.message(incoming(message))
  }
}
