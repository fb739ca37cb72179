import type { Clock } from '../clock.ts'
import { formatCursor, parseCursor } from './cursor.ts'
import type { TopicPattern } from '../driver.ts'
import { Release, type RelayEvent, type WindowItem } from './event.ts'
import { isPattern, matches } from '../topic.ts'

/** Beyond so many topics, what was dropped is remembered for all topics together. */
const MAX_DROPPED_TOPICS = 10_000
/** Array slots that may stand empty in front before they are given back. */
const MAX_FREE_SLOTS = 1024

/** How much of the recent flow a replica holds, as its status shows it. */
export interface WindowStatus {
  readonly messages: number
  readonly bytes: number
  readonly maxBytes: number
  readonly maxMs: number
  /** Age of the oldest message in milliseconds. */
  readonly ageMs: number
}

/** The bounds of a window. */
export interface WindowOptions {
  readonly clock: Clock
  readonly epoch: string
  readonly maxMs: number
  readonly maxBytes: number
}

/** What one client may see of the flow. */
export interface Audience {
  readonly id: string
  /** Its topics and patterns, each with the sequence after which it holds. */
  readonly topics: ReadonlyMap<TopicPattern, number>
}

/**
 * The recent messages of this replica in arrival order, bounded by time and bytes, for clients that
 * come back. It also remembers of which topics it dropped something, and since when each topic was
 * complete, so that a client is told of a gap exactly when something of its own may be missing.
 */
export class Window {
  readonly #options: WindowOptions
  /** Entries from `#first` on; those before it are dropped. */
  #entries: (Entry | undefined)[] = []
  #first = 0
  /** Sequence of the last entry ever added. */
  #last = 0
  #bytes = 0
  /** All clients that are made at one place share its text. */
  #lastCursor: { readonly sequence: number; readonly text: string } | undefined
  readonly #dropped = new Map<string, number>()
  #droppedOfAny = 0
  readonly #completeSince = new Map<TopicPattern, number>()

  constructor(options: WindowOptions) {
    this.#options = options
  }

  /** The part of its cursors that no other window has. */
  get epoch(): string {
    return this.#options.epoch
  }

  /** Sequence of the newest entry. */
  get head(): number {
    return this.#last
  }

  /** Sequence of the oldest entry that is still here, or the one after `head`. */
  get tail(): number {
    return this.#last - (this.#entries.length - this.#first) + 1
  }

  /** Text of the cursor that stands after `sequence` entries. */
  cursorAt(sequence: number): string {
    if (this.#lastCursor?.sequence !== sequence) {
      this.#lastCursor = { sequence, text: formatCursor({ epoch: this.#options.epoch, sequence }) }
    }
    return this.#lastCursor.text
  }

  /** Adds what `make` returns for the cursor that the new entry has. */
  add<Item extends WindowItem>(make: (cursor: string) => Item): Item {
    const item = make(this.cursorAt(this.#last + 1))
    this.#last++
    this.#bytes += item.bytes
    this.#entries.push({ item, bytes: item.bytes, at: this.#options.clock.now() })
    while (this.#bytes > this.#options.maxBytes && this.#entries.length - this.#first > 1)
      this.#drop()
    return item
  }

  /** The entry with that sequence, if it is still here. */
  at(sequence: number): WindowItem | undefined {
    return this.#entries[this.#entries.length - 1 - (this.#last - sequence)]?.item
  }

  /** Drops what is older than the window's time. */
  dropOld(): void {
    const limit = this.#options.clock.now() - this.#options.maxMs
    while (this.#first < this.#entries.length && this.#entries[this.#first]!.at < limit)
      this.#drop()
  }

  /** Notes that a subscription's messages arrive from now on. */
  completeFromNow(topic: TopicPattern): void {
    this.#completeSince.set(topic, this.#last)
  }

  /** Notes that they no longer do. */
  incomplete(topic: TopicPattern): void {
    if (this.#completeSince.delete(topic)) this.add(() => new Release())
  }

  /** Where a cursor stands in this window, or `undefined` for one of another window or from the future. */
  sequenceOf(text: string): number | undefined {
    const cursor = parseCursor(text)
    if (cursor === undefined) return undefined
    const known = cursor.epoch === this.#options.epoch && cursor.sequence <= this.#last
    return known ? cursor.sequence : undefined
  }

  /** Whether something for `audience` came after `sequence` and was dropped. */
  hasDropped(audience: Audience, sequence: number): boolean {
    if (sequence + 1 >= this.tail) return false
    if (this.#droppedOfAny > sequence) return true
    if (this.#droppedSince(directKey(audience.id), sequence)) return true
    const patterns: [TopicPattern, number][] = []
    for (const [topic, subscribedAt] of audience.topics) {
      if (this.#droppedSince(topic, Math.max(sequence, subscribedAt))) return true
      if (isPattern(topic)) patterns.push([topic, subscribedAt])
    }
    if (patterns.length === 0) return false
    for (const [topic, at] of this.#dropped) {
      if (at <= sequence) continue
      if (patterns.some(([pattern, subscribedAt]) => at > subscribedAt && matches(pattern, topic)))
        return true
    }
    return false
  }

  /**
   * Topics of `audience` of which messages after `sequence` may never have reached this replica, and
   * the sequence from which on they did.
   */
  incompleteSince(audience: Audience, sequence: number): { topics: TopicPattern[]; until: number } {
    const topics: TopicPattern[] = []
    let until = sequence
    for (const [topic, subscribedAt] of audience.topics) {
      const completeSince = this.#completeSince.get(topic) ?? this.#last
      if (completeSince <= Math.max(sequence, subscribedAt)) continue
      topics.push(topic)
      until = Math.max(until, completeSince)
    }
    return { topics, until }
  }

  status(): WindowStatus {
    const oldest = this.#entries[this.#first]
    return {
      messages: this.#entries.length - this.#first,
      bytes: this.#bytes,
      maxBytes: this.#options.maxBytes,
      maxMs: this.#options.maxMs,
      ageMs: oldest === undefined ? 0 : Math.round(this.#options.clock.now() - oldest.at),
    }
  }

  #droppedSince(key: string, sequence: number): boolean {
    return (this.#dropped.get(key) ?? 0) > sequence
  }

  #drop(): void {
    const sequence = this.tail
    const { item, bytes } = this.#entries[this.#first]!
    this.#entries[this.#first++] = undefined
    this.#bytes -= bytes
    if (item.kind === 'gap') this.#droppedOfAny = sequence
    else if (item.kind === 'event') this.#dropped.set(keyOf(item), sequence)
    else if (item.kind === 'error') this.#dropped.set(item.topic, sequence)
    if (this.#dropped.size > MAX_DROPPED_TOPICS) {
      this.#dropped.clear()
      this.#droppedOfAny = sequence
    }
    if (this.#first > MAX_FREE_SLOTS && this.#first * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#first)
      this.#first = 0
    }
  }
}

interface Entry {
  readonly item: WindowItem
  readonly bytes: number
  /** When it arrived. */
  readonly at: number
}

function keyOf(event: RelayEvent): string {
  return event.to === undefined ? event.topic : directKey(event.to)
}

function directKey(clientId: string): string {
  // No topic begins with a space.
  return ` ${clientId}`
}
