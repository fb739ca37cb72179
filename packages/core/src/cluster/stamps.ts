import type { Clock } from '../clock.ts'

/** A stamp from so far ahead is no clock that goes wrong a little, but a fault or an attack. */
const MAX_AHEAD_MS = 600_000
const FORM = /^\d{13}~[A-Za-z0-9]{1,12}$/

/**
 * When something was changed, and by whom: compares as text in the order of time. Empty is before all. A hybrid
 * logical clock: later than every stamp that its replica has seen, whatever the machine's clock says.
 */
export type Stamp = string

/** Gives stamps. */
export class Stamps {
  readonly #clock: Clock
  readonly #by: string
  #last = 0

  constructor(clock: Clock, replica: string) {
    this.#clock = clock
    this.#by = replica.replaceAll(/[^A-Za-z0-9]/g, '').slice(-12)
  }

  /** A new one, above all that were seen. */
  next(): Stamp {
    this.#last = Math.max(Math.trunc(this.#clock.wallTime()), this.#last + 1)
    return `${String(this.#last).padStart(13, '0')}~${this.#by}`
  }

  saw(stamp: Stamp): void {
    if (stamp !== '') this.#last = Math.max(this.#last, Number(stamp.slice(0, 13)))
  }

  /** Whether this replica gave it. */
  isOwn(stamp: Stamp): boolean {
    return stamp.slice(14) === this.#by
  }

  /** Whether it can be one: of the right form, and not from a future that no clock goes wrong by. */
  isSound(stamp: unknown): stamp is Stamp {
    if (stamp === '') return true
    if (typeof stamp !== 'string' || !FORM.test(stamp)) return false
    return Number(stamp.slice(0, 13)) <= this.#clock.wallTime() + MAX_AHEAD_MS
  }
}
