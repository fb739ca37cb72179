import type { TopicPattern } from '@asbru/core'
import type { Channel } from 'amqplib'
import { type Channels, codeOf } from './channels.ts'

/** The bindings of one queue to the exchange, on one connection. */
export class Bindings {
  readonly #channels: Channels
  readonly #queue: string
  readonly #exchange: string
  #channel: Promise<Channel> | undefined

  constructor(channels: Channels, queue: string, exchange: string) {
    this.#channels = channels
    this.#queue = queue
    this.#exchange = exchange
  }

  /** Resolves once messages of a topic or pattern go to the queue. */
  async add(topic: TopicPattern): Promise<void> {
    await this.#do((channel) => channel.bindQueue(this.#queue, this.#exchange, bindingKeyOf(topic)))
  }

  /** Resolves once they do not any more. */
  async delete(topic: TopicPattern): Promise<void> {
    await this.#do((channel) =>
      channel.unbindQueue(this.#queue, this.#exchange, bindingKeyOf(topic)),
    )
  }

  /** A refusal ends the channel, and with it changes that were to follow: these are tried on another one. */
  async #do(change: (channel: Channel) => Promise<unknown>): Promise<void> {
    for (;;) {
      const opening = (this.#channel ??= this.#channels.openExpendable())
      try {
        await change(await opening)
        return
      } catch (error) {
        if (this.#channel === opening) this.#channel = undefined
        if (codeOf(error) !== undefined || this.#channels.isOver) throw error
      }
    }
  }
}

/** A topic or pattern as a topic exchange takes it. */
function bindingKeyOf(topic: TopicPattern): string {
  return topic.endsWith('**') ? `${topic.slice(0, -2)}#` : topic
}
