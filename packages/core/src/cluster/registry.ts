import {
  type ClientRecord,
  type ClientStoreHost,
  type ConnectionInfo,
  FROM_BEGINNING,
} from '../clients/client-store.ts'
import type { TopicPattern } from '../driver.ts'
import { BUCKETS } from './control-message.ts'
import type { Peers } from './peers.ts'
import {
  type ClientEntry,
  exists,
  type Fragment,
  fragmentOf,
  hashOf,
  type Holder,
  merge,
  newEntry,
  topicsOf,
} from './record.ts'
import type { Settings } from './settings.ts'
import type { Stamps } from './stamps.ts'

/** One of this replica's own connections. */
interface OwnConnection {
  /** The stamp of the client that it is of: a removal ends those of earlier ones. */
  readonly born: string
  readonly since: number
}

/** What the registry stands on. */
export interface RegistryOptions {
  readonly host: ClientStoreHost
  readonly settings: Settings
  readonly peers: Peers
  readonly stamps: Stamps
  /** Topics that a client got have to be delivered here before it is acknowledged. */
  readonly onTopics: (topics: readonly TopicPattern[]) => void
}

/** What this replica knows of all clients, and what of it holds now. */
export class Registry {
  readonly #options: RegistryOptions
  readonly #entries = new Map<string, ClientEntry>()
  /** What the host was told of each client. */
  readonly #shown = new Map<string, Shown>()
  readonly #subscribers = new Map<TopicPattern, number>()
  readonly #own = new Map<string, Map<string, OwnConnection>>()
  readonly #digest: number[] = Array.from({ length: BUCKETS }, () => 0)
  /** Before the store is open, subscriptions hold from the beginning of the window. */
  isOpen = false

  constructor(options: RegistryOptions) {
    this.#options = options
  }

  get ids(): IterableIterator<string> {
    return this.#entries.keys()
  }

  /** How many clients there are. */
  get size(): number {
    return this.#shown.size
  }

  /** How many clients have each topic. */
  get subscribers(): ReadonlyMap<TopicPattern, number> {
    return this.#subscribers
  }

  /** Sums over the clients, by parts of the ids: equal where replicas know the same. */
  get digest(): readonly number[] {
    return this.#digest
  }

  get(id: string): ClientEntry | undefined {
    return this.#entries.get(id)
  }

  /** The entry of that id, empty if nothing is known of it. */
  entry(id: string): ClientEntry {
    let entry = this.#entries.get(id)
    if (entry === undefined) this.#entries.set(id, (entry = newEntry(id)))
    return entry
  }

  /** All that are there now. */
  *live(): Generator<ClientEntry> {
    for (const id of this.#shown.keys()) {
      const entry = this.#entries.get(id)!
      if (this.isLive(id)) yield entry
    }
  }

  isLive(id: string): boolean {
    return this.stateOf(this.#entries.get(id)) === 'live'
  }

  /**
   * A client is live while it has a connection or was there lately, and dormant for a while after; also for as long as a
   * silent replica may come back and hold a connection still, so that changes which it missed are not forgotten.
   */
  stateOf(entry: ClientEntry | undefined): 'none' | 'live' | 'dormant' {
    if (entry === undefined || !exists(entry)) return 'none'
    const { peers, host, settings } = this.#options
    let idle = entry.made
    let isAwaited = false
    for (const [replica, { connections, at }] of entry.holders) {
      if (connections.length > 0 && (replica === host.replica || peers.isFresh(replica)))
        return 'live'
      const peer = peers.get(replica)
      const isClosed = connections.length === 0 || peer === undefined
      idle = Math.max(idle, isClosed ? at : peers.endOf(peer))
      isAwaited ||= !isClosed && !peer.isOver
    }
    const age = peers.now - idle
    const ttlMs = this.#ttlOf(entry)
    if (age < ttlMs) return 'live'
    return isAwaited || age < ttlMs + settings.dormantMs ? 'dormant' : 'none'
  }

  /** A client as the host sees it. */
  recordOf(entry: ClientEntry): ClientRecord {
    const { ttlMs, metadata, madeAt } = entry.set
    const topics = new Map<TopicPattern, number>()
    for (const topic of topicsOf(entry)) topics.set(topic, entry.topics.get(topic)!.since)
    const connections = this.#connectionsOf(entry)
    return { id: entry.id, ttlMs, metadata, topics, madeAt, ...connections }
  }

  fragment(id: string): Fragment {
    return fragmentOf(this.#entries.get(id)!, this.#options.peers.now)
  }

  /**
   * Takes over what is later in a fragment. With `since`, topics of this replica's own change hold from there; `isLate`
   * says whether they may have been answered before.
   */
  merge(
    fragment: Fragment,
    { isLate, since }: { isLate: boolean; since?: ReadonlyMap<TopicPattern, number> },
  ): void {
    const { host, peers, stamps } = this.#options
    for (const stamp of [fragment.born, fragment.gone, fragment.set.stamp]) stamps.saw(stamp)
    for (const [, stamp] of fragment.topics) stamps.saw(stamp)
    const entry = this.entry(fragment.id)
    const { gone } = entry
    // Of a change that may have been answered before, messages may have passed by this replica.
    const now = this.isOpen && !isLate ? host.sequence() : FROM_BEGINNING
    const sinceOf = (topic: TopicPattern): number => since?.get(topic) ?? now
    merge(entry, fragment, { now: peers.now, self: host.replica, since: sinceOf })
    if (entry.gone > gone) this.#endConnections(fragment.id, entry.gone)
    this.show(fragment.id, isLate)
  }

  /** Notes a connection of this replica, or its end. Returns whether anything changed. */
  hold(id: string, connectionId: string, since: number): void {
    const own = this.#own.get(id) ?? new Map<string, OwnConnection>()
    this.#own.set(id, own.set(connectionId, { born: this.#entries.get(id)!.born, since }))
  }

  /** Whether it was there. */
  letGo(id: string, connectionId: string): boolean {
    const own = this.#own.get(id)
    if (own?.delete(connectionId) !== true) return false
    if (own.size === 0) this.#own.delete(id)
    return true
  }

  /** Clients that have connections here. */
  get held(): IterableIterator<string> {
    return this.#own.keys()
  }

  /** Writes down what this replica holds of a client, in the message with that number. */
  noteOwn(id: string, n: number, isOver: boolean): void {
    const { host, peers } = this.#options
    const entry = this.#entries.get(id)!
    const connections = [...(this.#own.get(id) ?? [])].map(
      ([connection, { since }]) => [connection, since] as const,
    )
    const was = entry.holders.get(host.replica)?.isOver ?? false
    const holder: Holder = { n, connections, at: peers.now, isOver: was || isOver }
    entry.holders.set(host.replica, holder)
    this.show(id, false)
  }

  /** Ends all own connections of a client that is not there any more, or never was. */
  endAll(id: string): void {
    this.#endConnections(id, undefined)
  }

  /** Forgets all clients but those that were removed, and what is held here: what others know is right. */
  drop(): void {
    const { replica } = this.#options.host
    for (const [id, entry] of this.#entries) {
      if (!exists(entry)) continue
      const dropped = newEntry(id)
      const own = entry.holders.get(replica)
      if (own !== undefined) dropped.holders.set(replica, own)
      this.#entries.set(id, dropped)
    }
  }

  /** Brings the host and the digest in step with an entry. */
  show(id: string, isLate: boolean): void {
    const entry = this.#entries.get(id)
    const before = this.#shown.get(id)
    if (this.stateOf(entry) !== 'live') {
      if (before !== undefined) this.#hide(id, before, entry)
      return
    }
    const topics = topicsOf(entry!)
    const sum = sumOf(entry!, topics)
    if (sum === before?.sum) return
    const record = this.recordOf(entry!)
    const known = new Set(before?.topics)
    const added = topics.filter((topic) => !known.has(topic))
    const removed = (before?.topics ?? []).filter((topic) => !record.topics.has(topic))
    this.#digest[bucketOf(id)]! ^= sum ^ (before?.sum ?? 0)
    // As long as it is, and no longer: one that grew has room for more.
    this.#shown.set(id, { sum, topics: topics.slice() })
    for (const topic of added) this.#count(topic, 1)
    for (const topic of removed) this.#count(topic, -1)
    this.#options.host.changed(record, { added, removed, isLate: isLate && this.isOpen })
    if (added.length > 0 && this.isOpen) this.#options.onTopics(added)
    this.#evictSurplus(record)
  }

  /** Lets time take effect: expires clients, and forgets those that are of no use to anybody. */
  sweep(): void {
    const { peers, settings } = this.#options
    const { now } = peers
    for (const [id, entry] of this.#entries) {
      const state = this.stateOf(entry)
      if ((state === 'live') !== this.#shown.has(id)) this.show(id, false)
      if (state !== 'none' || this.#own.has(id)) continue
      const isKept = exists(entry)
        ? now - entry.made <= this.#ttlOf(entry)
        : entry.gone !== '' && now - entry.goneAt <= settings.tombstoneMs
      if (!isKept) this.#entries.delete(id)
    }
  }

  /** Forgets what replicas held that nobody will hear of again. */
  forgetHolders(replicas: readonly string[]): void {
    if (replicas.length === 0) return
    for (const entry of this.#entries.values()) {
      for (const replica of replicas) {
        if (!entry.holders.delete(replica)) continue
        this.show(entry.id, false)
      }
    }
  }

  /** An id that was claimed has not said yet how long its client lives. */
  #ttlOf({ set }: ClientEntry): number {
    return set.stamp === '' ? this.#options.host.clientTtlMs : set.ttlMs
  }

  #connectionsOf(entry: ClientEntry): Pick<ClientRecord, 'connections' | 'wasConnected'> {
    const { host, peers } = this.#options
    const connections: ConnectionInfo[] = []
    let wasConnected = false
    for (const [replica, holder] of entry.holders) {
      const isHere = replica === host.replica || peers.isFresh(replica)
      wasConnected ||= holder.isOver || (!isHere && holder.connections.length > 0)
      if (!isHere) continue
      for (const [id, since] of holder.connections) connections.push({ id, replica, since })
    }
    connections.sort(byAge)
    return { connections, wasConnected }
  }

  /** Past the limit the oldest go; each is ended by the replica that holds it. */
  #evictSurplus({ id, connections }: ClientRecord): void {
    const { host } = this.#options
    const surplus = connections.slice(
      0,
      Math.max(0, connections.length - host.maxConnectionsPerClient),
    )
    for (const { id: connection, replica } of surplus) {
      if (replica === host.replica) host.evict(id, connection, 'too-many-connections')
    }
  }

  #endConnections(id: string, upTo: string | undefined): void {
    for (const [connection, { born }] of this.#own.get(id) ?? []) {
      if (upTo === undefined || born <= upTo) this.#options.host.evict(id, connection, 'removed')
    }
  }

  #hide(id: string, { sum, topics }: Shown, entry: ClientEntry | undefined): void {
    this.#shown.delete(id)
    this.#digest[bucketOf(id)]! ^= sum
    for (const topic of topics) this.#count(topic, -1)
    const isExpired = entry !== undefined && exists(entry)
    const last = this.recordOf(entry ?? newEntry(id))
    const record = { ...last, topics: new Map(topics.map((topic) => [topic, 0])) }
    this.#options.host.removed(record, isExpired ? 'expired' : 'removed')
  }

  #count(topic: TopicPattern, by: number): void {
    const now = (this.#subscribers.get(topic) ?? 0) + by
    if (now === 0) this.#subscribers.delete(topic)
    else this.#subscribers.set(topic, now)
  }
}

/** What the host knows of a client. */
interface Shown {
  readonly sum: number
  readonly topics: readonly TopicPattern[]
}

/** The part of the digest that a client belongs to. */
export function bucketOf(id: string): number {
  return (hashOf(id) >>> 0) % BUCKETS
}

/** Equal for two entries that say the same of a client. */
function sumOf(
  { id, born, gone, set, holders }: ClientEntry,
  topics: readonly TopicPattern[],
): number {
  const held = [...holders].filter(([, { connections }]) => connections.length > 0)
  const parts = held.map(([replica, { n }]) => `${replica} ${n}`)
  return hashOf(
    [id, born, gone, set.stamp, ...topics.toSorted(), '', ...parts.toSorted()].join('\n'),
  )
}

function byAge(one: ConnectionInfo, other: ConnectionInfo): number {
  return one.since - other.since || (one.id < other.id ? -1 : 1)
}
