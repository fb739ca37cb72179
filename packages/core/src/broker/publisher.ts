import type { Driver, OutgoingMessage } from '../driver.ts'
import { StreamerError } from '../errors.ts'
import {
  directMessage,
  type MessageLimits,
  type PublishData,
  type PublishItem,
  type PublishOptions,
  topicMessage,
} from './message.ts'
import type { ResolvedOptions } from '../options.ts'

/** What became of one of several messages. */
export type PublishResult = { readonly id: string } | { readonly error: StreamerError }

/** Checks messages and hands them to the driver. */
export class Publisher {
  readonly #driver: Driver
  readonly #limits: MessageLimits

  constructor({ driver, maxPayloadBytes, binary, newId, namespace }: ResolvedOptions) {
    this.#driver = driver
    const { headers } = driver.capabilities
    this.#limits = { maxPayloadBytes, binary, newId, namespace, headers }
  }

  async publish(
    topic: string,
    data: PublishData,
    options: PublishOptions,
  ): Promise<{ id: string }> {
    const { id, message } = topicMessage(topic, data, options, this.#limits)
    await this.#hand(message)
    return { id }
  }

  /** Hands over several in their order; the failure of one is its own. */
  publishAll(items: readonly PublishItem[]): Promise<PublishResult[]> {
    return Promise.all(items.map((item) => this.#publishItem(item)))
  }

  async send(to: string, data: PublishData, options: PublishOptions): Promise<{ id: string }> {
    const { id, message } = directMessage(to, data, options, this.#limits)
    await this.#hand(message)
    return { id }
  }

  async #publishItem({ topic, topics, data, ...options }: PublishItem): Promise<PublishResult> {
    try {
      const [first, ...others] = (topics ?? [topic]).map((each) =>
        topicMessage(each, data, options, this.#limits),
      )
      if (first === undefined) throw new StreamerError('INVALID_REQUEST', '`topics` is empty.')
      await Promise.all(
        [first, ...others].map(({ message }) =>
          this.#hand({ ...message, ...sameId(first.message) }),
        ),
      )
      return { id: first.id }
    } catch (error) {
      if (error instanceof StreamerError) return { error }
      throw error
    }
  }

  async #hand(message: OutgoingMessage): Promise<void> {
    try {
      await this.#driver.publish(message)
    } catch (cause) {
      const { name } = this.#driver
      throw new StreamerError(
        'BROKER_UNAVAILABLE',
        `The driver ${name} could not publish; try again.`,
        {
          driver: name,
          cause,
        },
      )
    }
  }
}

function sameId({ id }: OutgoingMessage): { id?: string } {
  return id === undefined ? {} : { id }
}
