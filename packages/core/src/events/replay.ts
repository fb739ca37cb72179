import { Batch } from '../connections/batch.ts'
import type { ClientRecord } from '../clients/client-store.ts'
import type { Connection } from '../connections/connection.ts'
import type { TopicPattern } from '../driver.ts'
import type { Frame } from './encode-event.ts'
import type { WindowItem } from './event.ts'
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
  /** The sequence behind which it begins. */
  readonly from: number
  /** Called once all that the window holds was written and the socket has room, in the same turn. */
  readonly onLive: () => void
}

/**
 * Writes to a connection what the window holds for its client, as fast as the socket drains, and hands
 * over to live delivery without a gap between: both read the same window in the same turn.
 */
export function replay({ window, naming, connection, from, onLive }: ReplayOptions): void {
  const { client, sink } = connection
  let { record } = client
  let audience = audienceOf(record, window)
  let next = from + 1
  let incomplete: { topics: TopicPattern[]; until: number } | undefined = window.incompleteSince(
    audience,
    from,
  )
  if (incomplete.topics.length === 0) incomplete = undefined
  pump()

  function pump(): void {
    while (!connection.closed) {
      if (sink.full) return sink.onDrain(pump)
      if (next > window.head && incomplete === undefined) return onLive()
      const { batch, paused } = collect()
      if (batch.length > 0) sink.write(batch)
      if (paused) {
        setImmediate(pump)
        return
      }
    }
  }

  function collect(): { batch: Batch; paused: boolean } {
    if (record !== client.record) {
      record = client.record
      audience = audienceOf(record, window)
    }
    let batch = Batch.empty()
    const stop = next + ENTRIES_PER_TURN
    while (batch.bytes < BATCH_BYTES) {
      if (incomplete !== undefined && next > incomplete.until) {
        batch = batch.with(
          gapFrame(window.cursorAt(next - 1), 'window-exceeded', incomplete.topics),
        )
        incomplete = undefined
      }
      if (next > window.head) break
      if (next >= stop) return { batch, paused: true }
      const { tail } = window
      if (next < tail) {
        if (window.hasDropped(audience, next - 1)) {
          batch = batch.with(gapFrame(window.cursorAt(tail - 1), 'window-exceeded'))
        }
        next = tail
        continue
      }
      const frame = frameFor(window.at(next)!, next, audience, connection.envelope, naming)
      if (frame !== undefined) batch = batch.with(frame)
      next++
    }
    return { batch, paused: false }
  }
}

function frameFor(
  item: WindowItem,
  sequence: number,
  client: Audience,
  envelope: boolean,
  naming: EventNaming,
): Frame | undefined {
  if (item.kind === 'release') return undefined
  if (item.kind === 'gap') {
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

/** What a client may see, in sequences of this window. A subscription from elsewhere always held. */
function audienceOf({ id, topics }: ClientRecord, window: Window): Audience {
  const since = [...topics].map(
    ([topic, cursor]) => [topic, window.sequenceOf(cursor) ?? 0] as const,
  )
  return { id, topics: new Map(since) }
}
