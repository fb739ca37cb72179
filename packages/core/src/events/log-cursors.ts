import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { Position } from '../driver.ts'
import {
  type Cursors,
  type Entries,
  isWithin,
  MAX_CURSOR_LENGTH,
  type Placed,
  sealed,
  type Spot,
  type Start,
  unsealed,
  type Vector,
} from './cursor.ts'
import type { FlowCursors } from './flow-cursors.ts'

const VERSION = '2.'
/** Key of the log, a check of its last message, the offset. */
const PART = /^([A-Za-z0-9_-]{4})([A-Za-z0-9_-]{2}|\.\.)([0-9a-z]{1,26})$/
const KEY_LENGTH = 4
const NO_CHECK = '..'

/** What {@link LogCursors} work with. */
export interface LogCursorsOptions {
  /** For what logs cannot say: more of them than fit into a cursor. */
  readonly own: FlowCursors
  /** Told once, when that happens. */
  readonly onTooMany: (logs: number) => void
}

/**
 * Cursors where the broker keeps logs that all replicas read alike: the position in each of them, so that any
 * replica resumes exactly. A check of the last message tells a log from another one that took its place.
 */
export class LogCursors implements Cursors {
  readonly #options: LogCursorsOptions
  /** By index; one that was made anew gets a new one. */
  readonly #logs: Log[] = []
  readonly #byName = new Map<string, number>()
  #vector: Vector = []
  #log = -1
  #text: string | undefined
  #isTooMany = false

  constructor(options: LogCursorsOptions) {
    this.#options = options
  }

  get vector(): Vector {
    return this.#vector
  }

  get log(): number {
    return this.#log
  }

  /** The driver hands over what a log holds behind a position, and nothing of before. */
  begins(position: Position): void {
    this.#log = -1
    const known = this.#known(position)
    const stands = known === undefined ? undefined : this.#vector[known]!.offset
    const isForward = stands !== undefined && stands <= position.offset
    const index = isForward ? known! : this.#add(position)
    if (stands !== position.offset) this.#move(index, NO_CHECK, position.offset)
  }

  /** A message was handed over. */
  reads(position: Position, payload: Uint8Array): void {
    // What was never said to begin anywhere begins with its first message.
    const { offset } = position
    const index = this.#known(position) ?? this.#add({ ...position, offset: before(offset) })
    this.#log = index
    const stands = this.#vector[index]?.offset
    if (stands === undefined || stands < offset) this.#move(index, checkOf(payload), offset)
  }

  /** What comes next is of no log. */
  leaves(): void {
    this.#log = -1
  }

  now(sequence: number): string {
    this.#text ??= this.textOf(this.#vector)
    return this.#text ?? this.#options.own.now(sequence)
  }

  /** The text of any vector, or `undefined` where it is too long for one. */
  textOf(vector: Vector): string | undefined {
    const parts = [...this.#byName.values()].map((index) => vector[index]?.text)
    const text = sealed(VERSION + parts.filter((part) => part !== undefined).join('~'))
    if (text.length <= MAX_CURSOR_LENGTH) return text
    if (!this.#isTooMany) this.#options.onTooMany(parts.length)
    this.#isTooMany = true
    return undefined
  }

  place(text: string, entries: Entries): Placed {
    const { head } = entries
    if (text.startsWith('1.')) return this.#options.own.place(text, entries)
    const spots = this.#parse(text)
    if (spots === undefined) return { start: { sequence: head }, gap: 'cursor-unknown' }
    const vector = this.#vectorOf(spots)
    if (vector === undefined) return { start: { sequence: head }, gap: 'log-changed' }
    const start = this.#find(vector, entries)
    if (!this.#isOfThisLog(vector, start, entries))
      return { start: { sequence: head }, gap: 'log-changed' }
    const held = vector.map((spot, index) => this.#atLeastBase(spot, index))
    if (held.every((spot, index) => spot === vector[index])) return { start }
    return { start: this.#find(held, entries), gap: 'window-exceeded' }
  }

  isAhead(text: string): boolean {
    const spots = this.#parse(text) ?? new Map<string, Spot>()
    return [...this.#byName.values()].some((index) => {
      const spot = spots.get(this.#logs[index]!.key)
      return spot !== undefined && spot.offset > this.#vector[index]!.offset
    })
  }

  dropOld(): void {
    this.#options.own.dropOld()
  }

  /** The index of a log, if it is still that log. */
  #known({ log, epoch }: Position): number | undefined {
    const index = this.#byName.get(log)
    return index !== undefined && this.#logs[index]!.epoch === epoch ? index : undefined
  }

  /** A log that is new, was made anew, or stands further back than it did gets an index of its own. */
  #add({ log, epoch, offset }: Position): number {
    this.#logs.push({ epoch, key: keyOf(log, epoch), base: offset })
    this.#byName.set(log, this.#logs.length - 1)
    return this.#logs.length - 1
  }

  #move(index: number, check: string, offset: Spot['offset']): void {
    const vector = this.#vector.slice()
    vector[index] = spotAt(this.#logs[index]!.key, check, offset)
    this.#vector = vector
    this.#text = undefined
  }

  #parse(text: string): Map<string, Spot> | undefined {
    const inner = unsealed(text)
    if (inner?.startsWith(VERSION) !== true) return undefined
    const spots = new Map<string, Spot>()
    for (const part of inner.slice(VERSION.length).split('~')) {
      const [, key, check, digits] = PART.exec(part) ?? []
      if (key === undefined || spots.has(key)) return undefined
      spots.set(key, spotAt(key, check!, offsetOf(digits!)))
    }
    return spots
  }

  /** By index, or `undefined` where a log is not one of ours, or is not that long. */
  #vectorOf(spots: ReadonlyMap<string, Spot>): Vector | undefined {
    const vector: (Spot | undefined)[] = this.#vector.slice()
    let known = 0
    for (const index of this.#byName.values()) {
      const { key, base } = this.#logs[index]!
      const spot = spots.get(key)
      // One that joined later is read from its beginning.
      vector[index] = spot ?? spotAt(key, NO_CHECK, base)
      if (spot !== undefined && spot.offset > this.#vector[index]!.offset) return undefined
      if (spot !== undefined) known++
    }
    return known === spots.size ? vector : undefined
  }

  /** The last entry up to which all is at or below `vector`; what else is comes by the vector. */
  #find(vector: Vector, entries: Entries): Start {
    let low = entries.tail - 1
    let high = entries.head
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if (isWithin(entries.entry(middle)!.vector!, vector)) low = middle
      else high = middle - 1
    }
    const dropped = entries.lastDropped?.vector
    if (low < entries.tail && dropped !== undefined && !isWithin(dropped, vector)) low--
    // Word of a gap that moved nothing is told again rather than not at all.
    while (low >= entries.tail && movedNothing(low, entries)) low--
    return { sequence: low, vector }
  }

  /** What this replica was never handed over cannot be replayed. */
  #atLeastBase(spot: Spot | undefined, index: number): Spot | undefined {
    const { key, base } = this.#logs[index]!
    return spot !== undefined && spot.offset < base ? spotAt(key, NO_CHECK, base) : spot
  }

  /** Compares the checks of a cursor with those of the messages that stand there. */
  #isOfThisLog(vector: Vector, start: Start, entries: Entries): boolean {
    return [...this.#byName.values()].every((index) => {
      const spot = vector[index]!
      const ours = this.#spotAt(index, spot.offset, start.sequence, entries)
      return ours === undefined || [NO_CHECK, checkIn(ours)].includes(checkIn(spot))
    })
  }

  /** The message of a log at an offset, as far as it is remembered. */
  #spotAt(index: number, offset: Spot['offset'], from: number, entries: Entries): Spot | undefined {
    let low = from
    let high = entries.head + 1
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      const spot = (entries.entry(middle)?.vector ?? this.#vector)[index]
      if (middle >= entries.tail && spot !== undefined && spot.offset >= offset) high = middle
      else low = middle + 1
    }
    const spot = (entries.entry(low)?.vector ?? this.#vector)[index]
    const isThere = spot !== undefined && !(spot.offset > offset) && !(spot.offset < offset)
    return isThere && checkIn(spot) !== NO_CHECK ? spot : undefined
  }
}

/** One log, as long as it is that log. */
interface Log {
  readonly epoch: string
  /** Stands for name and epoch. */
  readonly key: string
  /** Nothing at or below it was handed over. */
  readonly base: number | bigint
}

function movedNothing(sequence: number, entries: Entries): boolean {
  const entry = entries.entry(sequence)
  if (entry?.item?.kind !== 'gap') return false
  const other = entries.entry(sequence - 1)
  return other === undefined || other.vector === entry.vector
}

function before(offset: number | bigint): number | bigint {
  return typeof offset === 'bigint' ? offset - 1n : offset - 1
}

/** Written down is the offset behind, since there may be nothing before the first, which is 0. */
function behind(offset: number | bigint): number | bigint {
  return typeof offset === 'bigint' ? offset + 1n : offset + 1
}

function spotAt(key: string, check: string, offset: number | bigint): Spot {
  return { offset, text: `${key}${check}${behind(offset).toString(36)}` }
}

function offsetOf(digits: string): number | bigint {
  const offset = parseInt(digits, 36)
  if (offset <= Number.MAX_SAFE_INTEGER) return offset - 1
  let exact = 0n
  for (const digit of digits) exact = exact * 36n + BigInt(parseInt(digit, 36))
  return exact - 1n
}

function checkIn({ text }: Spot): string {
  return text.slice(KEY_LENGTH, KEY_LENGTH + NO_CHECK.length)
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** Twelve bits of what a message says. */
function checkOf(payload: Uint8Array): string {
  const sum = crc32(payload)
  return DIGITS[sum & 63]! + DIGITS[(sum >> 6) & 63]!
}

/** 24 bits of what tells a log from others. */
function keyOf(log: string, epoch: string): string {
  return createHash('sha256').update(`${log}\n${epoch}`).digest('base64url').slice(0, KEY_LENGTH)
}
