import type { SseObserver } from './sse-client.ts'

/** What one client got, in the order in which it came. */
export class Account implements SseObserver {
  readonly topics: readonly string[]
  readonly gaps: ReceivedGap[] = []
  longestSilenceMs = 0
  readonly #receipts = new Map<string, Receipt[]>()
  /** How often each number of a topic came. */
  readonly #times = new Map<string, Map<number, number>>()
  /** Counts events and gaps alike. */
  #place = 0
  #lastAt = performance.now()

  constructor(topics: readonly string[]) {
    this.topics = topics
    for (const topic of topics) {
      this.#receipts.set(topic, [])
      this.#times.set(topic, new Map())
    }
  }

  event(topic: string, data: string): void {
    const receipts = this.#receipts.get(topic)
    if (receipts === undefined) throw new Error(`a client got ${topic}, which it does not have`)
    const now = performance.now()
    this.longestSilenceMs = Math.max(this.longestSilenceMs, now - this.#lastAt)
    this.#lastAt = now
    const number = Number(data)
    receipts.push({ number, place: this.#place++, at: now })
    const times = this.#times.get(topic)!
    times.set(number, (times.get(number) ?? 0) + 1)
  }

  gap({ reason, topics }: { reason: string; topics?: readonly string[] }): void {
    this.gaps.push({ reason, topics, place: this.#place++, at: performance.now() })
  }

  /** From now on, silence counts. */
  silenceCounts(): void {
    this.longestSilenceMs = 0
    this.#lastAt = performance.now()
  }

  receipts(topic: string): readonly Receipt[] {
    return this.#receipts.get(topic)!
  }

  has(topic: string, number: number): boolean {
    return this.#times.get(topic)!.has(number)
  }

  /** How many events of a topic came another time. */
  repeated(topic: string): number {
    return this.receipts(topic).length - this.#times.get(topic)!.size
  }
}

/** One event. */
export interface Receipt {
  readonly number: number
  readonly place: number
  readonly at: number
}

/** One `gap`. */
export interface ReceivedGap {
  readonly reason: string
  /** Undefined for all. */
  readonly topics: readonly string[] | undefined
  readonly place: number
  readonly at: number
}
