import type { DriverStatus } from '@asbru/core'

/** Makes one status of the several connections of a driver. */
export class Health {
  readonly #tell: (status: DriverStatus) => void
  readonly #down = new Set<unknown>()
  #isStarted = false

  constructor(tell: (status: DriverStatus) => void) {
    this.#tell = tell
  }

  /** From here on changes are told. */
  started(): void {
    this.#isStarted = true
    if (this.#down.size > 0) this.#tell({ type: 'reconnecting' })
  }

  down(part: unknown, error: unknown): void {
    if (this.#down.has(part)) return
    this.#down.add(part)
    if (this.#down.size > 1 || !this.#isStarted) return
    this.#tell({ type: 'reconnecting', ...(error !== undefined && { error }) })
  }

  up(part: unknown): void {
    if (!this.#down.delete(part) || this.#down.size > 0 || !this.#isStarted) return
    this.#tell({ type: 'connected' })
  }
}
