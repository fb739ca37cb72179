import type { Clock } from '../../../src/index.ts'
import type { Timeline } from '../cluster/timeline.ts'

/** One process on simulated time: it can be killed, and its event loop can stall. */
export class SimulatedProcess {
  readonly clock: Clock
  isUp = true
  isStalled = false
  readonly #timeline: Timeline
  #waiting: (() => void)[] = []

  constructor(timeline: Timeline) {
    this.#timeline = timeline
    this.clock = {
      now: () => timeline.now,
      wallTime: () => Date.UTC(2026, 0, 1) + timeline.now,
      after: (ms, run) => {
        let isCancelled = false
        this.after(ms, () => isCancelled || run())
        return () => (isCancelled = true)
      },
    }
  }

  /** Runs now, or when it goes on; never once it was killed. */
  give(run: () => void): void {
    if (!this.isUp) return
    if (this.isStalled) this.#waiting.push(run)
    else run()
  }

  after(ms: number, run: () => void): void {
    this.#timeline.after(ms, () => this.give(run))
  }

  /** Resolves after so many milliseconds. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve))
  }

  kill(): void {
    this.isUp = false
    this.#waiting = []
  }

  stall(ms: number): void {
    if (this.isStalled) return
    this.isStalled = true
    this.#timeline.after(ms, () => {
      this.isStalled = false
      const waited = this.#waiting
      this.#waiting = []
      for (const run of waited) this.after(0, run)
    })
  }
}
