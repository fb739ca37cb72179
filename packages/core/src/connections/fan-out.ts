import { Batch } from './batch.ts'
import type { Clock } from '../clock.ts'
import type { Connection } from './connection.ts'
import type { Frame } from '../events/encode-event.ts'

/** A connection with so much pending is written to at once. */
const MAX_BATCH_BYTES = 64 * 1024
/** After so many writes the event loop gets a turn, so that a very large fan-out stalls nothing. */
const WRITES_PER_TURN = 2_000

/** What a fan-out needs to know. */
export interface FanOutOptions {
  readonly clock: Clock
  /** Bound on what one connection may have queued. */
  readonly maxQueueBytes: number
  /** Called instead of a write that would pass the bound. */
  readonly onFull: (connection: Connection) => void
}

/**
 * Carries frames to connections: all frames of one turn of the event loop leave for a connection in
 * one write, because a write costs about the same whatever its size (`bench/`).
 */
export class FanOut {
  readonly #options: FanOutOptions
  /** Connections with something pending, from `#next` on. */
  #dirty: Connection[] = []
  #next = 0
  #empty = Batch.empty()
  #scheduled = false

  constructor(options: FanOutOptions) {
    this.#options = options
  }

  /** Gives a connection one more frame. */
  push(connection: Connection, frame: Frame): void {
    let batch = connection.pending
    if (batch === undefined) {
      batch = this.#empty.with(frame)
      this.#dirty.push(connection)
      if (!this.#scheduled) this.#schedule()
    } else {
      batch = batch.with(frame)
    }
    connection.pending = batch
    if (batch.bytes > MAX_BATCH_BYTES) this.flush(connection)
  }

  /** Writes what one connection has pending. */
  flush(connection: Connection): void {
    this.#write(connection, this.#options.clock.now())
  }

  #schedule(): void {
    this.#scheduled = true
    setImmediate(this.#flushSome)
  }

  readonly #flushSome = (): void => {
    this.#scheduled = false
    const now = this.#options.clock.now()
    const end = Math.min(this.#next + WRITES_PER_TURN, this.#dirty.length)
    for (let i = this.#next; i < end; i++) this.#write(this.#dirty[i]!, now)
    // What was joined for this turn is let go of.
    this.#empty = Batch.empty()
    if (end === this.#dirty.length) {
      this.#dirty = []
      this.#next = 0
    } else {
      this.#next = end
      this.#schedule()
    }
  }

  #write(connection: Connection, now: number): void {
    const batch = connection.pending
    if (batch === undefined) return
    connection.pending = undefined
    if (connection.closed) return
    const { sink } = connection
    const queued = sink.queuedBytes
    if (queued === 0) {
      connection.headBytes = batch.bytes
    } else if (
      queued + batch.bytes > this.#options.maxQueueBytes + connection.headBytes &&
      !connection.replaying
    ) {
      this.#options.onFull(connection)
      return
    }
    connection.lastWriteAt = now
    sink.write(batch)
  }
}
