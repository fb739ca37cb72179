import { createHash } from 'node:crypto'
import type { TopicPattern } from '../driver.ts'
import type { ArchivedClient } from './settings.ts'
import type { Stamp } from './stamps.ts'

/**
 * What a replica knows of a client. Every field is taken over from whoever has the later stamp, so that all replicas
 * come to the same, whatever the order in which they hear of it. Times are on this replica's monotonic clock.
 */
export interface ClientEntry {
  readonly id: string
  /** Its place among all clients, for lists: the same on every replica. */
  readonly order: number
  /** When it was made; above `gone` if it is. */
  born: Stamp
  made: number
  /** When it was removed. */
  gone: Stamp
  goneAt: number
  set: ArchivedClient['set']
  readonly topics: Map<TopicPattern, TopicEntry>
  /** By replica: written by that replica alone. */
  readonly holders: Map<string, Holder>
}

/** A topic that it has, or had. */
export interface TopicEntry {
  readonly stamp: Stamp
  readonly isOn: boolean
  /** The sequence of this replica's window after which it holds. */
  readonly since: number
}

/** Its connections at one replica. */
export interface Holder {
  /** The number of the message that told of them. */
  readonly n: number
  readonly connections: readonly (readonly [id: string, since: number])[]
  /** When that was. */
  readonly at: number
  /** Whether one that was opened is over. */
  readonly isOver: boolean
}

/** An entry on its way: times are ages in milliseconds. */
export interface Fragment extends ArchivedClient {
  readonly made: number
  readonly goneAt: number
  readonly holders: readonly (readonly [
    replica: string,
    n: number,
    connections: Holder['connections'],
    age: number,
    isOver: boolean,
  ])[]
}

const NOTHING: ArchivedClient['set'] = Object.freeze({
  stamp: '',
  ttlMs: 0,
  metadata: Object.freeze({}),
  madeAt: '',
})

/** One of which nothing is known. */
export function newEntry(id: string): ClientEntry {
  return {
    id,
    order: orderOf(id),
    born: '',
    made: 0,
    gone: '',
    goneAt: 0,
    set: NOTHING,
    topics: new Map(),
    holders: new Map(),
  }
}

/** Whether it was made, and not removed since. */
export function exists({ born, gone }: ClientEntry): boolean {
  return born > gone
}

/** The topics that it has. One that was stamped before it was made is of an earlier client of that id. */
export function topicsOf(entry: ClientEntry): TopicPattern[] {
  const topics: TopicPattern[] = []
  for (const [topic, { stamp, isOn }] of entry.topics) {
    if (isOn && stamp >= entry.born) topics.push(topic)
  }
  return topics
}

/** As it is told to others; of its topics all, or those given. */
export function fragmentOf(
  entry: ClientEntry,
  now: number,
  topics: Iterable<readonly [TopicPattern, TopicEntry]> = entry.topics,
): Fragment {
  const { id, born, made, gone, goneAt, set, holders } = entry
  return {
    id,
    born,
    made: Math.round(now - made),
    gone,
    goneAt: Math.round(now - goneAt),
    set,
    topics: [...topics].map(([topic, { stamp, isOn }]) => [topic, stamp, isOn]),
    holders: [...holders].map(([replica, { n, connections, at, isOver }]) => [
      replica,
      n,
      connections,
      Math.round(now - at),
      isOver,
    ]),
  }
}

/** A fragment that is told so many milliseconds later. */
export function aged(fragment: Fragment, ms: number): Fragment {
  const { made, goneAt, holders } = fragment
  return {
    ...fragment,
    made: made + ms,
    goneAt: goneAt + ms,
    holders: holders.map(([replica, n, connections, age, isOver]) => [
      replica,
      n,
      connections,
      age + ms,
      isOver,
    ]),
  }
}

/** Takes over what is later in a fragment. Connections at `self` are known better here. */
export function merge(
  entry: ClientEntry,
  from: Fragment,
  { now, self, since }: { now: number; self: string; since: (topic: TopicPattern) => number },
): void {
  if (from.gone > entry.gone) {
    entry.gone = from.gone
    entry.goneAt = now - from.goneAt
  }
  if (from.born > entry.gone) {
    if (!exists(entry)) {
      entry.born = from.born
      entry.made = now - from.made
    } else if (from.born <= entry.born) {
      // Of two that were made apart, the earlier; of two ages of one, the larger.
      entry.born = from.born
      entry.made = Math.min(entry.made, now - from.made)
    }
  }
  if (from.set.stamp > entry.set.stamp) entry.set = from.set
  for (const [topic, stamp, isOn] of from.topics) {
    const known = entry.topics.get(topic)
    if (stamp <= (known?.stamp ?? '')) continue
    const holds = known?.isOn === true && isOn && known.stamp >= entry.born
    entry.topics.set(topic, { stamp, isOn, since: holds ? known.since : since(topic) })
  }
  mergeHolders(entry, from, now, self)
}

function mergeHolders(entry: ClientEntry, from: Fragment, now: number, self: string): void {
  for (const [replica, n, connections, age, isOver] of from.holders) {
    if (replica === self) continue
    const known = entry.holders.get(replica)
    if (known === undefined || n > known.n) {
      entry.holders.set(replica, { n, connections, at: now - age, isOver })
    } else if (n === known.n && connections.length === 0) {
      entry.holders.set(replica, { ...known, at: Math.min(known.at, now - age) })
    }
  }
}

/** 32 bits of a text. */
export function hashOf(text: string): number {
  let hash = 0
  for (let at = 0; at < text.length; at++) hash = (Math.imul(hash, 31) + text.charCodeAt(at)) | 0
  return hash
}

/** 48 bits of an id, of which they tell nothing. */
function orderOf(id: string): number {
  return createHash('sha256').update(id).digest().readUIntBE(0, 6)
}
