import { type TopicPattern, TopicSet } from '@asbru/core'

/** The topics and patterns that are wanted of a queue, each bound once. */
export class HeldTopics {
  readonly #wanted = new TopicSet()
  /** Settles with the broker's answer. */
  readonly #bound = new Map<TopicPattern, Promise<void>>()

  get size(): number {
    return this.#bound.size
  }

  [Symbol.iterator](): Iterator<TopicPattern> {
    return this.#bound.keys()
  }

  /** Binds one, unless it is bound or about to be; one that the broker refuses is not held. */
  hold(topic: TopicPattern, bind: () => Promise<void>): Promise<void> {
    const known = this.#bound.get(topic)
    if (known !== undefined) return known
    const bound = bind().catch((error: unknown) => {
      this.drop(topic)
      throw error
    })
    this.#bound.set(topic, bound)
    this.#wanted.add(topic)
    return bound
  }

  /** Whether it was held. */
  drop(topic: TopicPattern): boolean {
    this.#wanted.delete(topic)
    return this.#bound.delete(topic)
  }

  /** Whether a message of that topic is wanted. */
  delivers(topic: string): boolean {
    return this.#wanted.delivers(topic)
  }
}
