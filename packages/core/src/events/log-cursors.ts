import { createHash } from 'node:crypto'
import type { GapReason, Position } from '../driver.ts'
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
import {
  CHECK,
  CHECK_LENGTH,
  checkOf,
  checkText,
  isMark,
  LogChecks,
  markText,
} from './log-checks.ts'
import type { FlowCursors } from './flow-cursors.ts'

const VERSION = '2.'
/** Key of the log, a check of its last message, the offset. */
const PART = new RegExp(`^([A-Za-z0-9_-]{4})(${CHECK})([0-9a-z]{1,26})$`)
const KEY_LENGTH = 4
/** Of so many messages the checks are remembered, in equal parts for each log: some megabytes. */
const MAX_CHECKS = 262_144

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

  /**
   * The driver hands over what a log holds behind a position, and nothing of before; `isOther` if that log took the
   * place of another one. Returns whether it stands elsewhere than before.
   */
  begins(position: Position, isOther = false): boolean {
    this.#log = -1
    const known = isOther ? undefined : this.#known(position)
    const stands = known === undefined ? undefined : this.#vector[known]!.offset
    const isForward = stands !== undefined && stands <= position.offset
    const index = isForward ? known! : this.#add(position)
    if (stands === position.offset) return false
    const { changes, checks } = this.#logs[index]!
    checks.skipTo(position.offset)
    this.#move(index, markText(changes), position.offset)
    this.#log = index
    return true
  }

  /** A message was handed over. */
  reads(position: Position, topic: unknown, payload: Uint8Array): void {
    // What was never said to begin anywhere begins with its first message.
    const { offset } = position
    const index = this.#known(position) ?? this.#add({ ...position, offset: before(offset) })
    this.#log = index
    const stands = this.#vector[index]?.offset
    if (stands !== undefined && stands >= offset) return
    const check = checkOf(topic, payload)
    const { checks } = this.#logs[index]!
    checks.add(offset, check)
    checks.keep(MAX_CHECKS / this.#byName.size)
    this.#move(index, checkText(check), offset)
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
    if (text.startsWith('1.')) {
      const own = this.#options.own.place(text, entries)
      // One of another replica may have had all that is here.
      return own.gap === undefined ? own : { ...own, start: { sequence: head } }
    }
    const judged = this.#judge(text)
    if ('gap' in judged) return { start: { sequence: head }, ...judged }
    const { vector } = judged
    const held = vector.map((spot, index) => this.#atLeastBase(spot, index))
    const start = this.#find(held, entries)
    const isHeld = held.every((spot, index) => spot === vector[index])
    const gap = isHeld ? passedOver(vector, start, entries) : 'window-exceeded'
    return { start, ...(gap !== undefined && { gap }) }
  }

  fits(text: string): boolean {
    if (text.startsWith('1.')) return this.#options.own.isOwn(text)
    const judged = this.#judge(text)
    return !('gap' in judged) && this.#isSure(judged.vector)
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
    const key = keyOf(log, epoch)
    const changes = this.#logs.filter((other) => other.key === key).length
    this.#logs.push({ epoch, key, base: offset, changes, checks: new LogChecks() })
    this.#byName.set(log, this.#logs.length - 1)
    return this.#logs.length - 1
  }

  #move(index: number, check: string, offset: Spot['offset']): void {
    const vector = this.#vector.slice()
    vector[index] = spotAt(this.#logs[index]!.key, check, offset)
    this.#vector = vector
    this.#text = undefined
  }

  #judge(text: string): { readonly vector: Vector } | { readonly gap: GapReason } {
    const spots = this.#parse(text)
    if (spots === undefined) return { gap: 'cursor-unknown' }
    const vector = this.#vectorOf(spots)
    const gap = vector === undefined ? 'log-changed' : this.#doubtOf(vector)
    return gap === undefined ? { vector: vector! } : { gap }
  }

  /** Another replica may have seen already that a log was made anew, and be at its beginning. */
  #isSure(vector: Vector): boolean {
    return [...this.#byName.values()].every((index) => {
      const { base, changes } = this.#logs[index]!
      const check = checkIn(vector[index]!)
      return vector[index]!.offset >= base && (!isMark(check) || check === markText(changes))
    })
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
      const { key } = this.#logs[index]!
      const spot = spots.get(key)
      // One that joined later is read from its beginning.
      vector[index] = spot ?? this.#baseOf(index)
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
    if (low < entries.tail && entries.mayHaveDropped(vector)) low--
    return { sequence: beforeStill(low, entries), vector }
  }

  #baseOf(index: number): Spot {
    const { key, base, changes } = this.#logs[index]!
    return spotAt(key, markText(changes), base)
  }

  /** What this replica was never handed over cannot be replayed. */
  #atLeastBase(spot: Spot | undefined, index: number): Spot | undefined {
    return spot !== undefined && spot.offset < this.#logs[index]!.base ? this.#baseOf(index) : spot
  }

  /** Compares the checks of a cursor with those of the messages that stand there. */
  #doubtOf(vector: Vector): GapReason | undefined {
    let doubt: GapReason | undefined
    for (const index of this.#byName.values()) {
      const { epoch, base, changes, checks } = this.#logs[index]!
      const { offset } = vector[index]!
      const check = checkIn(vector[index]!)
      if (isMark(check)) {
        if (changes > 0 && check !== markText(changes)) return 'log-changed'
        continue
      }
      const known = offset < base ? 'forgotten' : checks.at(offset)
      if (known === 'none' || (typeof known === 'number' && checkText(known) !== check))
        return 'log-changed'
      // Nothing tells the log from the one whose place it took.
      if (typeof known === 'string' && changes > 0) doubt = 'cursor-unknown'
      if (known === 'forgotten' && epoch === '' && offset > base) doubt = 'cursor-unknown'
    }
    return doubt
  }
}

/** One log, as long as it is that log. */
interface Log {
  readonly epoch: string
  /** Stands for name and epoch. */
  readonly key: string
  /** Nothing at or below it was handed over. */
  readonly base: number | bigint
  /** How often this replica saw it made anew without an epoch that says so. */
  readonly changes: number
  readonly checks: LogChecks
}

/** Word of a gap that moved no log is told again to one who stands exactly there, rather than not at all. */
function beforeStill(sequence: number, entries: Entries): number {
  let still = sequence
  const vector = entries.entry(sequence)?.vector
  for (let at = sequence; at >= entries.tail; at--) {
    const { item, log, vector: other } = entries.entry(at)!
    if (other !== vector) break
    if (item?.kind === 'gap' && log < 0) still = at - 1
  }
  return still
}

/** Such a gap has no place: whoever stands in any log where that one stood then may have missed it, and passes it over. */
function passedOver(vector: Vector, start: Start, { stills }: Entries): GapReason | undefined {
  const passed = stills.find(
    ({ sequence, vector: other }) =>
      sequence <= start.sequence &&
      other?.some((spot, log) => spot !== undefined && spot.offset === vector[log]?.offset),
  )
  return passed?.item?.kind === 'gap' ? passed.item.reason : undefined
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
  return text.slice(KEY_LENGTH, KEY_LENGTH + CHECK_LENGTH)
}

/** 24 bits of what tells a log from others. */
function keyOf(log: string, epoch: string): string {
  return createHash('sha256').update(`${log}\n${epoch}`).digest('base64url').slice(0, KEY_LENGTH)
}
