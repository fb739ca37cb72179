import { setImmediate } from 'node:timers/promises'

interface Due {
  readonly at: number
  readonly order: number
  readonly run: () => void
}

/** Simulated time, in milliseconds: what is due runs in its order, and all that it settles before the next. */
export class Timeline {
  now = 0
  #order = 0
  /** A binary heap. */
  readonly #due: Due[] = []

  at(at: number, run: () => void): void {
    this.#push({ at: Math.max(at, this.now), order: this.#order++, run })
  }

  after(ms: number, run: () => void): void {
    this.at(this.now + ms, run)
  }

  async runUntil(end: number): Promise<void> {
    while (this.#due.length > 0 && this.#due[0]!.at <= end) {
      const next = this.#pop()
      this.now = next.at
      next.run()
      // Promises are settled to the last one when Node.js comes to its immediates.
      await setImmediate()
    }
    this.now = end
  }

  #push(due: Due): void {
    const heap = this.#due
    let at = heap.length
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(due, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = due
  }

  #pop(): Due {
    const heap = this.#due
    const first = heap[0]!
    const last = heap.pop()!
    if (heap.length === 0) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!isBefore(heap[child]!, last)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
    return first
  }
}

function isBefore(one: Due, other: Due): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order)
}
