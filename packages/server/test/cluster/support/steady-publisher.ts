import { setTimeout as wait } from 'node:timers/promises'
import type { PlainPublisher } from './cluster-mode.ts'
import { until } from './until.ts'

/** Publishes `0`, `1`, `2` and so on to each of some topics, at a steady rate. */
export class SteadyPublisher {
  readonly topics: readonly string[]
  /** Of each topic, in order: what the broker has. */
  readonly accepted: ReadonlyMap<string, number[]>
  /** Of each topic: what the broker may have or not, since it was away. */
  readonly unsure: ReadonlyMap<string, Set<number>>
  readonly #publisher: PlainPublisher
  readonly #pauseMs: number
  readonly #over = new AbortController()
  readonly #done: Promise<unknown>

  /** Starts at once. */
  constructor(publisher: PlainPublisher, topics: readonly string[], ratePerSecond: number) {
    this.topics = topics
    this.accepted = new Map(topics.map((topic) => [topic, []]))
    this.unsure = new Map(topics.map((topic) => [topic, new Set()]))
    this.#publisher = publisher
    this.#pauseMs = (1_000 * topics.length) / ratePerSecond
    this.#done = Promise.all(topics.map((topic, i) => this.#run(topic, i / topics.length)))
  }

  /** Resolves once the broker took so many more of each topic. */
  more(count: number): Promise<void> {
    const before = new Map(this.topics.map((topic) => [topic, this.accepted.get(topic)!.length]))
    return until(`${count} more of each topic are published`, 60_000, () =>
      this.topics.every((topic) => this.accepted.get(topic)!.length >= before.get(topic)! + count),
    )
  }

  /** Resolves once the last message has its answer. */
  async stop(): Promise<void> {
    this.#over.abort()
    await this.#done
  }

  /** Begins a part of the pause late, so that topics take turns. */
  async #run(topic: string, phase: number): Promise<void> {
    const begun = performance.now() + phase * this.#pauseMs
    for (let number = 0; !this.#over.signal.aborted; number++) {
      const early = begun + number * this.#pauseMs - performance.now()
      if (early > 0) await wait(early)
      try {
        await this.#publisher.publish(topic, String(number))
        this.accepted.get(topic)!.push(number)
      } catch {
        this.unsure.get(topic)!.add(number)
      }
    }
  }
}
