import type { Clock } from '../clock.ts'
import {
  type Cursors,
  type Entries,
  type Entry,
  isBehind,
  isWithin,
  laterOf,
  type Placed,
  type Start,
  type Vector,
} from './cursor.ts'
import type { TopicPattern } from '../driver.ts'
import { Boundary, type RelayEvent, type WindowItem } from './event.ts'
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
  readonly cursors: Cursors
  /** Whether the broker hands over everything, wanted or not: then every topic is complete. */
  readonly isWhole?: boolean
  /** Whether there are other replicas, which tell of topics that clients have already. */
  readonly isShared?: boolean
  readonly maxMs: number
  readonly maxBytes: number
}

/** Since when a topic arrives at this replica, in sequences. */
interface Arrival {
  readonly askedAt: number
  /** `undefined` until the broker has answered. */
  completeSince: number | undefined
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
export class Window implements Entries {
  readonly #options: WindowOptions
  /** Entries from `#first` on; those before it are dropped. */
  #entries: (Entry | undefined)[] = []
  #first = 0
  /** Sequence of the last entry ever added. */
  #last = 0
  #bytes = 0
  /** The last entry that was dropped. */
  #lastDropped: Entry | undefined
  /** Of each topic and log the last that was dropped. */
  readonly #dropped = new Map<string, Entry[]>()
  /** What concerns all topics, of each log the last. */
  readonly #droppedOfAny: Entry[] = []
  /** The last gap among it that moved no log. */
  #droppedStill: Entry | undefined
  /** Gaps for all that moved no log, as far as they are here. */
  readonly #stills: Entry[] = []
  readonly #arrivals = new Map<TopicPattern, Arrival>()

  constructor(options: WindowOptions) {
    this.#options = options
  }

  /** Sequence of the newest entry. */
  get head(): number {
    return this.#last
  }

  /** Sequence of the oldest entry that is still here, or the one after `head`. */
  get tail(): number {
    return this.#last - (this.#entries.length - this.#first) + 1
  }

  get stills(): readonly Entry[] {
    return this.#stills
  }

  /** Text of the cursor of one who had all entries up to `sequence`, the one before `tail` at the least. */
  cursorAt(sequence: number): string {
    if (sequence >= this.#last) return this.#options.cursors.now(this.#last)
    return (this.entry(sequence) ?? this.#lastDropped ?? this.#entries[this.#first]!).cursor
  }

  /** Text of the cursor of one who is to get what is behind `start`. */
  cursorOf({ sequence, vector }: Start): string {
    const text = vector && this.#options.cursors.textOf(vector)
    return text ?? this.cursorAt(sequence)
  }

  /** Behind everything that was dropped, for one who was at `start`. */
  tailFor({ vector }: Start): Start {
    const sequence = this.tail - 1
    const dropped = this.#lastDropped?.vector
    return vector === undefined || dropped === undefined
      ? { sequence }
      : { sequence, vector: laterOf(vector, dropped) }
  }

  /** Adds what `make` returns for the cursor that the new entry has. */
  add<Item extends WindowItem>(make: (cursor: string) => Item): Item {
    const { clock, cursors, maxBytes } = this.#options
    const sequence = ++this.#last
    const cursor = cursors.now(sequence)
    const item = make(cursor)
    const { bytes } = item
    const { vector, log } = cursors
    this.#bytes += bytes
    const entry: Entry = { sequence, cursor, bytes, at: clock.now(), vector, log, item }
    this.#entries.push(entry)
    if (item.kind === 'gap' && log < 0 && item.topics === undefined && item.to === undefined)
      this.#stills.push(entry)
    while (this.#bytes > maxBytes && this.#entries.length - this.#first > 1) this.#drop()
    return item
  }

  /** The entry with that sequence, if it is still here. */
  entry(sequence: number): Entry | undefined {
    return this.#entries[this.#entries.length - 1 - (this.#last - sequence)]
  }

  /** Whether something was dropped that one whose logs stand there may not have had. */
  mayHaveDropped(vector: Vector): boolean {
    const last = this.#lastDropped?.vector
    return last !== undefined && (!isWithin(last, vector) || this.#isAtStill(vector))
  }

  /** What it holds. */
  at(sequence: number): WindowItem | undefined {
    return this.entry(sequence)?.item
  }

  /** Where the stream of one who sends this cursor goes on. */
  place(cursor: string): Placed {
    return this.#options.cursors.place(cursor, this)
  }

  /** Drops what is older than the window's time. */
  dropOld(): void {
    const limit = this.#options.clock.now() - this.#options.maxMs
    while (this.#first < this.#entries.length && this.#entries[this.#first]!.at < limit)
      this.#drop()
    this.#options.cursors.dropOld()
  }

  /** Notes that the broker is asked for a topic. */
  asked(topic: TopicPattern): void {
    this.#arrivals.set(topic, { askedAt: this.#last, completeSince: undefined })
  }

  /** Notes that all messages of a topic that was asked for arrive from now on, or did before. */
  completeFromNow(topic: TopicPattern): void {
    const arrival = this.#arrivals.get(topic)
    if (arrival === undefined || arrival.completeSince !== undefined) return
    const { isShared, isWhole } = this.#options
    if (isShared === true && isWhole !== true) this.add(() => new Boundary())
    arrival.completeSince = this.#last
  }

  /** Notes that they no longer do. */
  incomplete(topic: TopicPattern): void {
    const arrival = this.#arrivals.get(topic)
    this.#arrivals.delete(topic)
    const was = arrival?.completeSince !== undefined
    if (was && this.#options.isWhole !== true) this.add(() => new Boundary())
  }

  /** Whether something for `audience` came behind `start` and was dropped. */
  hasDropped(audience: Audience, start: Start): boolean {
    if (start.vector === undefined && start.sequence + 1 >= this.tail) return false
    const isMissed = (entry: Entry): boolean => isBehind(entry, start)
    if (this.#hasDroppedOfAny(start)) return true
    if (this.#dropped.get(directKey(audience.id))?.some(isMissed)) return true
    const patterns: [TopicPattern, number][] = []
    for (const [topic, subscribedAt] of audience.topics) {
      const dropped = this.#dropped.get(topic)
      if (dropped?.some((entry) => entry.sequence > subscribedAt && isMissed(entry))) return true
      if (isPattern(topic)) patterns.push([topic, subscribedAt])
    }
    if (patterns.length === 0) return false
    for (const [topic, dropped] of this.#dropped) {
      for (const entry of dropped.filter(isMissed)) {
        const concerns = ([pattern, subscribedAt]: [TopicPattern, number]): boolean =>
          entry.sequence > subscribedAt && matches(pattern, topic)
        if (patterns.some(concerns)) return true
      }
    }
    return false
  }

  /**
   * Topics of `audience` of which messages after `sequence` may never have reached this replica, and
   * the sequence from which on they did. One that the client has only since the broker was asked for it
   * is answered once it arrives: of what came before, nothing was promised.
   */
  incompleteSince(audience: Audience, sequence: number): { topics: TopicPattern[]; until: number } {
    const topics: TopicPattern[] = []
    let until = sequence
    if (this.#options.isWhole === true) return { topics, until }
    for (const [topic, subscribedAt] of audience.topics) {
      const arrival = this.#arrivals.get(topic)
      if (arrival !== undefined && arrival.askedAt <= subscribedAt) continue
      const completeSince = arrival?.completeSince ?? this.#last
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

  #drop(): void {
    const entry = this.#entries[this.#first]!
    const item = entry.item!
    this.#entries[this.#first++] = undefined
    this.#bytes -= entry.bytes
    this.#lastDropped = entry
    entry.item = undefined
    if (entry === this.#stills[0]) this.#stills.shift()
    if (item.kind === 'gap') this.#dropGap(entry, item.to)
    else if (item.kind === 'event') this.#note(keyOf(item), entry)
    else if (item.kind === 'error') this.#note(item.topic, entry)
    if (this.#dropped.size > MAX_DROPPED_TOPICS) {
      // With the places of all logs, since it stands for what came from any.
      noteLast(this.#droppedOfAny, { ...entry, log: -1 })
      this.#dropped.clear()
    }
    if (this.#first > MAX_FREE_SLOTS && this.#first * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#first)
      this.#first = 0
    }
  }

  #hasDroppedOfAny(start: Start): boolean {
    if (this.#droppedOfAny.some((entry) => isBehind(entry, start))) return true
    return start.vector !== undefined && this.#isAtStill(start.vector)
  }

  #dropGap(entry: Entry, to: string | undefined): void {
    if (to !== undefined) return this.#note(directKey(to), entry)
    noteLast(this.#droppedOfAny, entry)
    if (entry.log < 0) this.#droppedStill = entry
  }

  /** Its cursor is the same before and behind it: who stands exactly there may have missed it. */
  #isAtStill(vector: Vector): boolean {
    const still = this.#droppedStill?.vector
    return still !== undefined && isWithin(still, vector) && isWithin(vector, still)
  }

  #note(key: string, entry: Entry): void {
    const noted = this.#dropped.get(key)
    if (noted === undefined) this.#dropped.set(key, [entry])
    else noteLast(noted, entry)
  }
}

/** Of each log the last. */
function noteLast(noted: Entry[], entry: Entry): void {
  const same = noted.findIndex(({ log }) => log === entry.log)
  noted[same < 0 ? noted.length : same] = entry
}

function keyOf(event: RelayEvent): string {
  return event.to === undefined ? event.topic : directKey(event.to)
}

function directKey(clientId: string): string {
  // No topic begins with a space.
  return ` ${clientId}`
}
