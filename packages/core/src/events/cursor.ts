import { crc32 } from 'node:zlib'
import type { GapReason } from '../driver.ts'
import type { WindowItem } from './event.ts'

/** What a cursor of any version may look like; one that does not is never echoed. */
const OPAQUE = /^[A-Za-z0-9_.:~-]{1,512}$/
/** The longest text of a cursor. */
export const MAX_CURSOR_LENGTH = 512

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const SEAL_LENGTH = 3

/** Ends the text of a cursor with a check, so that one that was cut is not taken for another. */
export function sealed(text: string): string {
  const sum = crc32(text)
  return `${text}.${DIGITS[sum & 63]!}${DIGITS[(sum >> 6) & 63]!}`
}

/** The text before the check, or `undefined` if that is not right. */
export function unsealed(text: string): string | undefined {
  if (!isEchoable(text)) return undefined
  const inner = text.slice(0, -SEAL_LENGTH)
  return sealed(inner) === text ? inner : undefined
}

/** Whether a cursor from outside is safe to send back. */
export function isEchoable(text: string): boolean {
  return OPAQUE.test(text)
}

/** Where one log stands. */
export interface Spot {
  readonly offset: number | bigint
  /** Its part of the text of a cursor. */
  readonly text: string
}

/** Where all logs of a broker stand, each at an index of its own; nothing for one that joined later. */
export type Vector = readonly (Spot | undefined)[]

/** A place of the window: an entry, or what is remembered of one that was dropped. */
export interface Entry {
  readonly sequence: number
  /** The cursor of those who had it. */
  readonly cursor: string
  /** Roughly what it holds in memory. */
  readonly bytes: number
  /** When it arrived, on the monotonic clock. */
  readonly at: number
  /** Where the logs stood with it, and which of them it comes from or moved; absent and -1 without logs. */
  readonly vector: Vector | undefined
  readonly log: number
  /** Absent once it was dropped. */
  item: WindowItem | undefined
}

/** From where a connection gets what the window holds. */
export interface Start {
  /** It had all entries up to this one... */
  readonly sequence: number
  /** ...and of later ones those that stand at or below this in their logs. */
  readonly vector?: Vector
}

/** What a cursor means to this replica. With a gap, the stream goes on from `start` behind it. */
export interface Placed {
  readonly start: Start
  readonly gap?: GapReason
}

/** What the window shows to those who read cursors. */
export interface Entries {
  readonly head: number
  readonly tail: number
  entry(sequence: number): Entry | undefined
  /** Its gaps that moved no log and are for all, in their order. */
  readonly stills: readonly Entry[]
  /** Whether something was dropped that one whose logs stand there may not have had. */
  mayHaveDropped(vector: Vector): boolean
}

/** One way to write down a place in the flow of messages, and to find it again. */
export interface Cursors {
  /** The text for one who had all entries up to `sequence`, which is the newest. */
  now(sequence: number): string
  /** The text for one whose logs stand there, if there are logs and it is not too long. */
  textOf(vector: Vector): string | undefined
  /** Where the logs stand now, and which of them moved last. */
  readonly vector: Vector | undefined
  readonly log: number
  /** Finds the place of a text, which may be forged, cut or foreign. */
  place(text: string, entries: Entries): Placed
  /** Whether a text names a place in what this replica has read. If not, it may be one that it has not read yet. */
  fits(text: string): boolean
  /** Lets go of what is of no use any more. */
  dropOld(): void
}

/** Whether something of an entry, or of one that was dropped, comes behind a start. */
export function isBehind(entry: Entry, { sequence, vector }: Start): boolean {
  if (vector === undefined || entry.vector === undefined) return entry.sequence > sequence
  if (entry.log >= 0) return isLater(entry.vector[entry.log], vector[entry.log])
  return entry.vector.some((spot, log) => isLater(spot, vector[log]))
}

/** Whether every log of `vector` stands at or below `other`. */
export function isWithin(vector: Vector, other: Vector): boolean {
  return vector.every((spot, log) => !isLater(spot, other[log]))
}

/** Log by log, whichever is later. */
export function laterOf(one: Vector, other: Vector): Vector {
  const longer = one.length > other.length ? one : other
  return longer.map((_, log) => (isLater(one[log], other[log]) ? one[log] : other[log]))
}

function isLater(spot: Spot | undefined, than: Spot | undefined): boolean {
  return spot !== undefined && (than === undefined || spot.offset > than.offset)
}
