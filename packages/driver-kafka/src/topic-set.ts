import { isPattern, matches, type TopicPattern } from '@asbru/core'

/** The topics and patterns whose messages are handed over. */
export class TopicSet {
  readonly #exact = new Set<string>()
  readonly #patterns = new Set<TopicPattern>()

  add(topic: TopicPattern): void {
    this.#setOf(topic).add(topic)
  }

  delete(topic: TopicPattern): void {
    this.#setOf(topic).delete(topic)
  }

  /** Whether any of them delivers `topic`. */
  wants(topic: string): boolean {
    if (this.#exact.has(topic)) return true
    for (const pattern of this.#patterns) if (matches(pattern, topic)) return true
    return false
  }

  #setOf(topic: TopicPattern): Set<TopicPattern> {
    return isPattern(topic) ? this.#patterns : this.#exact
  }
}
