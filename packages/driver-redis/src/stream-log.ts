import { createHash } from 'node:crypto'
import type { GapReason, Position } from '@asbru/core'

const SEQUENCE_BITS = 64n
const SEQUENCE_MASK = (1n << SEQUENCE_BITS) - 1n

/** What Redis says of a stream. */
export interface StreamInfo {
  /** Id of the newest entry that it ever had. */
  readonly last: bigint
  /** How many entries it ever had. */
  readonly added: number
  /** How many are still there, and the id of the first of them. */
  readonly length: number
  readonly first: bigint
}

const absent: StreamInfo = { last: 0n, added: 0, length: 0, first: 0n }

/** How far one stream was read, and how to tell that it is not the stream any more that it was. */
export class StreamLog {
  readonly key: string
  readonly name: string
  #offset = 0n
  /** How many entries the stream ever had up to the offset, once that is known: Redis counts in the same way. */
  #count: number | undefined = 0
  /** Up to there nothing was left to read. */
  #clear = 0n

  constructor(key: string) {
    this.key = key
    this.name = logNameOf(key)
  }

  /** Id of the last entry that was read. */
  get id(): string {
    return `${this.#offset >> SEQUENCE_BITS}-${this.#offset & SEQUENCE_MASK}`
  }

  /** Where that entry stands, or where the first one was taken for the next. */
  get position(): Position {
    return { log: this.name, epoch: '', offset: this.#offset }
  }

  /** Takes the end of the stream for the place to read on from. */
  startAt({ last, added }: StreamInfo = absent): void {
    this.#offset = last
    this.#count = added
    this.#clear = last
  }

  /** Takes the place behind an entry, or behind all that are gone, for that to read on from. */
  startBehind(entry: string | undefined, info: StreamInfo = absent): void {
    this.startAt(info)
    if (entry !== undefined) {
      const offset = offsetOf(entry)
      // How many are behind it, the first look at the end will show.
      if (offset < info.last) this.#count = undefined
      this.#offset = this.#clear = offset
    } else if (info.length > 0) {
      this.#count = info.added - info.length
      this.#offset = this.#clear = this.#count === 0 ? 0n : info.first - 1n
    }
  }

  /** Notes that all was read that was there when the stream ended with `last`. */
  cleared(last: bigint): void {
    this.#clear = last
  }

  /** Whether all up to an offset was read that is there to read. */
  isPast(offset: bigint): boolean {
    return this.#offset >= offset || this.#clear >= offset
  }

  /** Notes that an entry was read, and returns where it stands. */
  read(id: string): Position {
    this.#offset = offsetOf(id)
    if (this.#count !== undefined) this.#count++
    return { log: this.name, epoch: '', offset: this.#offset }
  }

  /**
   * Compares with the stream as it is (`undefined`: gone) and with how many entries are to be read next, the first
   * of them at `next`, which must not have been noted yet; `all` says whether these are all that there are.
   * Returns why messages may be missing before them, if they may, and then goes on right before them.
   */
  verify(
    info: StreamInfo | undefined,
    unread: number,
    all: boolean,
    next?: bigint,
  ): Extract<GapReason, 'log-changed' | 'log-trimmed'> | undefined {
    if (info === undefined || info.last < this.#offset) {
      const isNew = this.#offset === 0n
      this.startAt(info)
      return isNew ? undefined : 'log-changed'
    }
    // Where it still holds entries that were read, and more than fit into one answer, it says nothing yet.
    if (!all && info.first <= this.#offset) return undefined
    const expected = info.added - (all ? unread : info.length)
    const count = this.#count
    this.#count = expected
    // What was not counted yet is missing only if nothing of before is left.
    const isTrimmed = count === undefined && info.length > 0 && info.first > this.#offset
    if (count === expected || (count === undefined && !isTrimmed)) return undefined
    this.#offset = next === undefined ? info.last : next - 1n
    return isTrimmed || expected > count! ? 'log-trimmed' : 'log-changed'
  }
}

/** An id of Redis as one number that grows with it. */
export function offsetOf(id: string): bigint {
  const dash = id.indexOf('-')
  return (BigInt(id.slice(0, dash)) << SEQUENCE_BITS) | BigInt(id.slice(dash + 1))
}

/** A key as the name of a log: itself where its characters allow that. */
function logNameOf(key: string): string {
  if (/^[A-Za-z0-9_-]{1,64}$/.test(key)) return key
  const hash = createHash('sha256').update(key).digest('hex').slice(0, 16)
  return `${key.replaceAll(/[^A-Za-z0-9_-]/g, '-').slice(0, 47)}-${hash}`
}
