import { isPattern, matches, type TopicPattern } from '@asbru/core'

/** How many answers about topics are remembered. */
const MAX_KNOWN = 10_000

/** Topics and patterns, and whether one of them delivers a topic: asked for every message. */
export class TopicSet {
  readonly #exact = new Set<string>()
  readonly #patterns = new Set<TopicPattern>()
  /** What the patterns say of topics, until they change. */
  readonly #known = new Map<string, boolean>()

  add(topic: TopicPattern): void {
    if (!isPattern(topic)) {
      this.#exact.add(topic)
      return
    }
    this.#patterns.add(topic)
    this.#known.clear()
  }

  delete(topic: TopicPattern): void {
    this.#exact.delete(topic)
    if (this.#patterns.delete(topic)) this.#known.clear()
  }

  clear(): void {
    this.#exact.clear()
    this.#patterns.clear()
    this.#known.clear()
  }

  delivers(topic: string): boolean {
    if (this.#exact.has(topic)) return true
    if (this.#patterns.size === 0) return false
    const known = this.#known.get(topic)
    if (known !== undefined) return known
    const delivers = this.#anyMatches(topic)
    if (this.#known.size >= MAX_KNOWN) this.#known.clear()
    this.#known.set(topic, delivers)
    return delivers
  }

  #anyMatches(topic: string): boolean {
    for (const pattern of this.#patterns) if (matches(pattern, topic)) return true
    return false
  }
}
