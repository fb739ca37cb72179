import type { DriverStatus } from '@asbru/core'

/** So long without a sign of the broker, it is taken for lost. One is due every second. */
const SILENT_MS = 3_000
const LOOK_EVERY_MS = 500
/** So long without one, connections are taken for dead; and so long the next ones are given. */
const DEAD_MS = 10_000

/** What a {@link Health} tells. */
export interface HealthEvents {
  status(status: DriverStatus): void
  /** The connections carry nothing. */
  silent(): void
}

/** Judges the broker by the signs that it gives: the client says nothing while it tries to reach it. */
export class Health {
  readonly #events: HealthEvents
  #lastSign = 0
  #lastLook = 0
  #lastDrop = 0
  #isDown = false
  #looking: NodeJS.Timeout | undefined

  constructor(events: HealthEvents) {
    this.#events = events
  }

  /** Whether the broker is taken for lost. */
  get isDown(): boolean {
    return this.#isDown
  }

  start(): void {
    this.#lastSign = this.#lastLook = performance.now()
    this.#looking = setInterval(() => this.#look(), LOOK_EVERY_MS)
    this.#looking.unref()
  }

  stop(): void {
    clearInterval(this.#looking)
  }

  /** The broker has answered. */
  sign(): void {
    this.#lastSign = performance.now()
    if (!this.#isDown) return
    this.#isDown = false
    this.#events.status({ type: 'connected' })
  }

  /** The reader is lost, and is being made again. */
  lost(error: unknown): void {
    if (this.#isDown) return
    this.#isDown = true
    this.#events.status({ type: 'reconnecting', ...(error !== undefined && { error }) })
  }

  #look(): void {
    const now = performance.now()
    // This process was busy, not the broker silent.
    if (now - this.#lastLook > 3 * LOOK_EVERY_MS) this.#lastSign = now
    this.#lastLook = now
    if (now - this.#lastSign < SILENT_MS) return
    this.lost(undefined)
    if (now - Math.max(this.#lastSign, this.#lastDrop) < DEAD_MS) return
    this.#lastDrop = now
    this.#events.silent()
  }
}
