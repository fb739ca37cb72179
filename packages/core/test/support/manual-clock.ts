import type { Clock } from '../../src/index.ts'

/** A clock that stands still until a test moves it. */
export class ManualClock implements Clock {
  #now = 0
  readonly #timers = new Set<{ readonly at: number; readonly run: () => void }>()

  now(): number {
    return this.#now
  }

  wallTime(): number {
    return Date.UTC(2026, 0, 1) + this.#now
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#now + ms, run }
    this.#timers.add(timer)
    // What is due at once needs no test to move the clock.
    if (ms === 0) queueMicrotask(() => this.#fire(timer))
    return () => this.#timers.delete(timer)
  }

  /** Lets time pass: all timers that fall due run, in their order. */
  advance(ms: number): void {
    const end = this.#now + ms
    for (;;) {
      const [next] = [...this.#timers].toSorted((a, b) => a.at - b.at)
      if (next === undefined || next.at > end) break
      this.#now = Math.max(this.#now, next.at)
      this.#fire(next)
    }
    this.#now = end
  }

  #fire(timer: { readonly run: () => void }): void {
    if (this.#timers.delete(timer as never)) timer.run()
  }
}
