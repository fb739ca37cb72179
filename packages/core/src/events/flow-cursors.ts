import type { Clock } from '../clock.ts'
import { type Cursors, type Entries, type Placed, sealed, unsealed } from './cursor.ts'

/** Version, start of the replica, beat, sequence. */
const FORM = /^1\.([A-Za-z0-9-]{1,64})\.([0-9a-z]{1,9})\.([0-9a-z]{1,9})$/
const START_LENGTH = 12
/** So many beats have to come back first; then the overlap is as long as the replica is old, until it is whole. */
const YOUNG_BEATS = 2

/** What {@link FlowCursors} work with. */
export interface FlowCursorsOptions {
  /** Id of this replica's start. */
  readonly replica: string
  readonly clock: Clock
  /** How long a beat is remembered, in milliseconds. */
  readonly maxMs: number
  /** How many beats before its last one a cursor names, so that what others received earlier is replayed too. */
  readonly overlapBeats: number
}

/**
 * Cursors where the broker has no positions: replicas see messages in different orders. Each sends beats in the
 * flow of the data. A cursor names a beat of its replica that all saw, and the sequence in its own window: the same
 * replica resumes exactly, another one from where it saw that beat, so that some messages may repeat and none is
 * missed. Without beats, in a process by itself, it is the sequence alone.
 */
export class FlowCursors implements Cursors {
  readonly vector = undefined
  readonly log = -1
  readonly #options: FlowCursorsOptions
  readonly #start: string
  readonly #beats = new Map<string, Beat[]>()
  #onReady: (() => void) | undefined
  #last = { sequence: -1, beat: -1, text: '' }

  constructor(options: FlowCursorsOptions) {
    this.#options = options
    this.#start = startOf(options.replica)
  }

  /** Resolves once others can follow cursors of this replica: enough of its own beats came back. */
  async ready(): Promise<void> {
    if (this.#named() === 0) await new Promise<void>((resolve) => (this.#onReady = resolve))
  }

  /** Notes that a beat of a replica came behind so many entries. */
  beat(replica: string, number: number, sequence: number): void {
    const start = startOf(replica)
    let beats = this.#beats.get(start)
    if (beats === undefined) this.#beats.set(start, (beats = []))
    beats.push({ number, sequence, at: this.#options.clock.now() })
    if (this.#named() > 0) this.#onReady?.()
  }

  now(sequence: number): string {
    const beat = this.#named()
    if (this.#last.sequence !== sequence || this.#last.beat !== beat) {
      // All clients that are made at one place share its text.
      const text = sealed(`1.${this.#start}.${beat.toString(36)}.${sequence.toString(36)}`)
      this.#last = { sequence, beat, text }
    }
    return this.#last.text
  }

  place(text: string, { head, tail }: Entries): Placed {
    const [, start, beat, own] = FORM.exec(unsealed(text) ?? '') ?? []
    if (start === undefined) return { start: { sequence: head }, gap: 'cursor-unknown' }
    if (start === this.#start) {
      const sequence = parseInt(own!, 36)
      return sequence <= head
        ? { start: { sequence } }
        : { start: { sequence: head }, gap: 'cursor-unknown' }
    }
    const named = parseInt(beat!, 36)
    const seen = this.#beats.get(start)?.findLast(({ number }) => number <= named)
    // What is here came after what that replica gave, or about then.
    if (seen === undefined) return { start: { sequence: tail - 1 }, gap: 'replica-started' }
    return { start: { sequence: seen.sequence } }
  }

  textOf(): undefined {
    return undefined
  }

  /** Another replica's order says nothing about what is still to come. */
  fits(): boolean {
    return true
  }

  /** Whether a text is one of this replica's own. */
  isOwn(text: string): boolean {
    return FORM.exec(unsealed(text) ?? '')?.[1] === this.#start
  }

  dropOld(): void {
    const limit = this.#options.clock.now() - this.#options.maxMs
    for (const [start, beats] of this.#beats) {
      const kept = beats.findIndex(({ at }) => at >= limit)
      if (kept < 0) this.#beats.delete(start)
      else beats.splice(0, kept)
    }
  }

  #named(): number {
    const last = this.#beats.get(this.#start)?.at(-1)?.number ?? 0
    const { overlapBeats } = this.#options
    return last <= Math.min(overlapBeats, YOUNG_BEATS) ? 0 : Math.max(1, last - overlapBeats)
  }
}

/** Where a beat came, in the order of this replica. */
interface Beat {
  readonly number: number
  readonly sequence: number
  readonly at: number
}

/** A replica's id as it stands in cursors. */
function startOf(replica: string): string {
  return replica.replaceAll(/[^A-Za-z0-9]/g, '').slice(-START_LENGTH)
}
