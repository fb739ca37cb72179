import { crc32 } from 'node:zlib'

/** Array slots that may stand empty in front before they are given back. */
const MAX_FREE_SLOTS = 1024
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** How many characters a check has in a cursor. */
export const CHECK_LENGTH = 3
/** A check as it stands in a cursor: of a message, or the mark of a place without one. */
export const CHECK: string = `[A-Za-z0-9_-]{${CHECK_LENGTH}}|\\.\\.[A-Za-z0-9_-]`

/** Sixteen bits of a message: its topic and what it says. */
export function checkOf(topic: unknown, payload: Uint8Array): number {
  // Multiplied, since sums of much the same texts differ in few bits.
  return Math.imul(crc32(payload, crc32(String(topic))), 0x9e3779b1) >>> 16
}

/** A check as cursors have it. */
export function checkText(check: number): string {
  return DIGITS[check >> 12]! + DIGITS[(check >> 6) & 63]! + DIGITS[check & 63]!
}

/** Stands in a cursor for a place without a message, in a log that was made anew so often. */
export function markText(changes: number): string {
  return `..${DIGITS[changes & 63]!}`
}

/** Whether a text is such a mark. */
export function isMark(text: string): boolean {
  return text.startsWith('..')
}

/** Stands for a place behind which a log began or went on: no message of it was handed over. */
const NO_MESSAGE = -1

/** What is known of a place in a log. */
export type Known =
  /** No message, or none of which anything is known. */
  | 'nothing'
  /** It was there before what is remembered. */
  | 'forgotten'
  /** No message stands there, though there are some before and behind. */
  | 'none'
  /** The check of the message that stands there. */
  | number

/** The checks of the messages of one log by their offsets, which outlive the messages in the window. */
export class LogChecks {
  /** In ascending order, from `#first` on. */
  #offsets: (number | bigint)[] = []
  #checks: number[] = []
  #first = 0

  /** A message of that check stands there. */
  add(offset: number | bigint, check: number): void {
    this.#offsets.push(offset)
    this.#checks.push(check)
  }

  /** What stands there, and between it and the one before, was not handed over. */
  skipTo(offset: number | bigint): void {
    this.add(offset, NO_MESSAGE)
  }

  /** Forgets the oldest beyond so many. */
  keep(most: number): void {
    while (this.#offsets.length - this.#first > most) this.#first++
    if (this.#first <= MAX_FREE_SLOTS || this.#first * 2 <= this.#offsets.length) return
    this.#offsets = this.#offsets.slice(this.#first)
    this.#checks = this.#checks.slice(this.#first)
    this.#first = 0
  }

  at(offset: number | bigint): Known {
    let low = this.#first
    let high = this.#offsets.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#offsets[middle]! >= offset) high = middle
      else low = middle + 1
    }
    const check = this.#checks[low]
    if (check === undefined || check === NO_MESSAGE) return 'nothing'
    // A number and a bigint may stand for the same offset.
    if (!(this.#offsets[low]! > offset)) return check
    return low === this.#first ? 'forgotten' : 'none'
  }
}
