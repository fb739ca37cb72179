import type { Clock } from '../clock.ts'
import type { Connection } from './connection.ts'

const SLOTS = 100

/** What the wheel needs. */
export interface KeepaliveOptions {
  readonly clock: Clock
  readonly intervalMs: number
  /** Called for connections that were written nothing for about the interval. */
  readonly send: (quiet: readonly Connection[]) => void
}

/**
 * One timer for the keepalives of all connections: a wheel that looks at a hundredth of them at a time.
 * A connection that was written to in the meantime moves on to the slot where it would be due.
 */
export class KeepaliveWheel {
  readonly #options: KeepaliveOptions
  readonly #slots: Set<Connection>[] = Array.from({ length: SLOTS }, () => new Set())
  readonly #tickMs: number
  #now = 0
  #size = 0
  #cancel: (() => void) | undefined

  constructor(options: KeepaliveOptions) {
    this.#options = options
    this.#tickMs = options.intervalMs / SLOTS
  }

  add(connection: Connection): void {
    this.#size++
    this.#place(connection, SLOTS - 1)
    this.#cancel ??= this.#options.clock.after(this.#tickMs, this.#tick)
  }

  delete(connection: Connection): void {
    if (!this.#slots[connection.slot]!.delete(connection)) return
    if (--this.#size > 0) return
    this.#cancel?.()
    this.#cancel = undefined
  }

  #place(connection: Connection, ticks: number): void {
    connection.slot = (this.#now + ticks) % SLOTS
    this.#slots[connection.slot]!.add(connection)
  }

  readonly #tick = (): void => {
    const { clock, intervalMs, send } = this.#options
    this.#cancel = clock.after(this.#tickMs, this.#tick)
    this.#now = (this.#now + 1) % SLOTS
    const now = clock.now()
    const quiet: Connection[] = []
    for (const connection of this.#slots[this.#now]!) {
      const left = Math.ceil((connection.lastWriteAt + intervalMs - now) / this.#tickMs)
      if (left <= 1) {
        quiet.push(connection)
      } else if (left < SLOTS) {
        this.#slots[this.#now]!.delete(connection)
        this.#place(connection, left)
      }
    }
    if (quiet.length > 0) send(quiet)
  }
}
