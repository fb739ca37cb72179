import { Batch } from '../connections/batch.ts'
import type { Connection } from '../connections/connection.ts'
import type { TopicPattern } from '../driver.ts'
import type { Frame } from './encode-event.ts'
import type { WindowItem } from './event.ts'
import { type Entry, isBehind, isWithin, laterOf, type Start, type Vector } from './cursor.ts'
import { gapFrame } from './info-messages.ts'
import type { EventNaming } from './naming.ts'
import { directName, nameFor } from './naming.ts'
import { comparePrecedence } from '../connections/topic-index.ts'
import { isPattern, matches } from '../topic.ts'
import type { Audience, Window } from './window.ts'

/** Events are written in batches of about this size. */
const BATCH_BYTES = 64 * 1024
/** After so many entries of the window the event loop gets a turn. */
const ENTRIES_PER_TURN = 5_000

/** What a replay needs. */
export interface ReplayOptions {
  readonly window: Window
  readonly naming: EventNaming
  readonly connection: Connection
  /** Behind which it begins. */
  readonly start: Start
  /** Whether the client was just told that something may be missing, up to now. */
  readonly isTold: boolean
  /** Called once all that the window holds was written and the socket has room, in the same turn. */
  readonly onLive: () => void
}

/**
 * Writes to a connection what the window holds for its client, as fast as the socket drains, and hands
 * over to live delivery without a gap between: both read the same window in the same turn.
 */
export function replay(options: ReplayOptions): void {
  new Replay(options).pump()
}

class Replay {
  readonly #options: ReplayOptions
  #audience: Audience
  /** Up to here all was written or passed over... */
  #sequence: number
  /** ...and of what follows, all that stands at or below this in its log. */
  #vector: Vector | undefined
  /** Topics of which it lacks the beginning, until their messages come. */
  #incomplete: { readonly topics: readonly TopicPattern[]; readonly until: number } | undefined

  constructor(options: ReplayOptions) {
    const { window, connection, start, isTold } = options
    this.#options = options
    this.#audience = connection.client.record
    this.#sequence = start.sequence
    this.#vector = start.vector
    if (isTold) return
    const incomplete = window.incompleteSince(this.#audience, start.sequence)
    if (incomplete.topics.length > 0) this.#incomplete = incomplete
  }

  readonly pump = (): void => {
    const { window, connection, onLive } = this.#options
    const { sink } = connection
    while (!connection.closed) {
      if (sink.full) return sink.onDrain(this.pump)
      if (this.#sequence >= window.head && this.#incomplete === undefined) return onLive()
      const { batch, isPaused } = this.#collect()
      if (batch.length > 0) sink.write(batch)
      if (isPaused) {
        setImmediate(this.pump)
        return
      }
    }
  }

  get #cursor(): string {
    return this.#options.window.cursorOf({ sequence: this.#sequence, ...withVector(this.#vector) })
  }

  #collect(): { batch: Batch; isPaused: boolean } {
    const { window, connection } = this.#options
    this.#audience = connection.client.record
    let batch = Batch.empty()
    const stop = this.#sequence + ENTRIES_PER_TURN
    while (batch.bytes < BATCH_BYTES) {
      const gap = this.#takeIncomplete()
      if (gap !== undefined) batch = batch.with(gap)
      if (this.#sequence >= window.head) break
      if (this.#sequence >= stop) return { batch, isPaused: true }
      const frame = this.#sequence + 1 < window.tail ? this.#skipDropped() : this.#next()
      if (frame !== undefined) batch = batch.with(frame)
    }
    return { batch, isPaused: false }
  }

  #takeIncomplete(): Frame | undefined {
    const incomplete = this.#incomplete
    if (incomplete === undefined || this.#sequence < incomplete.until) return undefined
    this.#incomplete = undefined
    return gapFrame('window-exceeded', this.#cursor, incomplete.topics)
  }

  /** What was dropped under way is a gap if anything of it was the client's. */
  #skipDropped(): Frame | undefined {
    const { window } = this.#options
    const start = { sequence: this.#sequence, ...withVector(this.#vector) }
    const isMissed = window.hasDropped(this.#audience, start)
    const tail = window.tailFor(start)
    this.#sequence = tail.sequence
    this.#vector = tail.vector
    return isMissed ? gapFrame('window-exceeded', this.#cursor) : undefined
  }

  #next(): Frame | undefined {
    const { window, naming, connection } = this.#options
    const entry = window.entry(++this.#sequence)!
    const vector = this.#vector
    const item = vector === undefined ? entry.item : this.#bySeveralLogs(entry, vector)
    return item && frameFor(item, entry.sequence, this.#audience, connection.envelope, naming)
  }

  /**
   * Another replica may have read several logs in another order: what the client had is left out, and until the logs
   * stand as far here as there, its cursor is one of its own.
   */
  #bySeveralLogs(entry: Entry, vector: Vector): WindowItem | undefined {
    const item = entry.item!
    if (entry.log >= 0) {
      if (!isBehind(entry, { sequence: 0, vector })) return undefined
      const isShared = isWithin(vector, entry.vector!)
      this.#vector = isShared ? undefined : laterOf(vector, entry.vector!)
      if (isShared) return item
    }
    return item.kind === 'event' || item.kind === 'gap' ? item.at(this.#cursor) : item
  }
}

function withVector(vector: Vector | undefined): { vector?: Vector } {
  return vector === undefined ? {} : { vector }
}

function frameFor(
  item: WindowItem,
  sequence: number,
  client: Audience,
  envelope: boolean,
  naming: EventNaming,
): Frame | undefined {
  if (item.kind === 'boundary') return undefined
  if (item.kind === 'gap') {
    if (item.to !== undefined && item.to !== client.id) return undefined
    return item.topics === undefined || item.topics.some((topic) => concerns(client.topics, topic))
      ? item.frame
      : undefined
  }
  if (item.kind === 'error') {
    const own = item.ofSubscription
      ? (client.topics.get(item.topic) ?? sequence) < sequence
      : subscriptionFor(client, item.topic, sequence) !== undefined
    return own ? item.frame : undefined
  }
  if (item.to !== undefined) return item.to === client.id ? item.frame(directName(item)) : undefined
  const subscription = subscriptionFor(client, item.topic, sequence)
  if (subscription === undefined) return undefined
  const name = nameFor(item, subscription, naming)
  return envelope ? item.envelope(name) : item.frame(name)
}

/** The subscription of `audience` by which it gets what was published to `topic` at `sequence`. */
function subscriptionFor(
  audience: Audience,
  topic: string,
  sequence: number,
): TopicPattern | undefined {
  const exact = audience.topics.get(topic)
  if (exact !== undefined && exact < sequence) return topic
  let best: TopicPattern | undefined
  for (const [pattern, subscribedAt] of audience.topics) {
    if (subscribedAt >= sequence || !isPattern(pattern) || !matches(pattern, topic)) continue
    if (best === undefined || comparePrecedence(pattern, best) < 0) best = pattern
  }
  return best
}

/** Whether a gap of `topic` may have cost anything to one who has `topics`. */
export function concerns(topics: ReadonlyMap<TopicPattern, unknown>, topic: TopicPattern): boolean {
  if (topics.has(topic)) return true
  for (const own of topics.keys()) if (matches(own, topic) || matches(topic, own)) return true
  return false
}
