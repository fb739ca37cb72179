import {
  type Ask,
  BEAT,
  bucketOf,
  BUCKETS,
  type Call,
  FRESH,
  hashOf,
  type Message,
  type Peer,
  STALE,
  type Sync,
  TOUCH,
} from './model-messages.ts'
import {
  emptyRecord,
  exists,
  type Fragment,
  fragmentOf,
  mergeFragment,
  type ModelRecord,
  topicsOf,
} from './model-records.ts'
import { CHANGE_TIMEOUT_MS, DORMANT_MS, TOMBSTONE_MS, TTL_MS } from './schedule.ts'
import type {
  ClientRecord,
  ClientStoreHost,
  ClientStoreStatus,
} from '../../../src/clients/client-store.ts'

/** What a replica of the model knows, and what it tells of itself. */
export abstract class ModelState {
  protected host!: ClientStoreHost
  protected startedAt = 0
  /** Number of the last message. */
  protected n = 0
  /** Time of the latest stamp that was seen. */
  protected last = 0
  protected isSynced = false
  /** Whether it was out of touch for so long that removals may be forgotten. */
  protected isStale = false
  protected hasSnapshot = false
  /** When its last beat came back. */
  protected echo = -9_000
  /** The clock of derived times then. */
  protected base = 0
  /** When its beats came back after a break. */
  protected back = 0
  protected bornAt = 0
  protected bornMono = 0
  /** How long it was out of touch, when that was too long. */
  protected away = 0
  /** Since when it knows of all removals. */
  protected whole = -1e9
  /** When it, or the one it has its clients from, started without any. */
  protected empty = -1e9
  protected sync: Sync | undefined
  protected opened!: () => void
  protected readonly records = new Map<string, ModelRecord>()
  /** The topics of each client, as the host was told of them. */
  protected readonly told = new Map<string, string>()
  /** Its own connections, by client and id. */
  protected readonly own = new Map<string, Map<string, { born: string; since: number }>>()
  protected readonly wasConnected = new Set<string>()
  /** The last number of each replica that was applied, with all before it. */
  protected readonly applied = new Map<string, number>()
  /** What was applied behind a hole. */
  protected readonly seen = new Map<string, Set<number>>()
  /** What was applied when topics came that the broker does not deliver yet. */
  protected readonly undelivered = new Set<Map<string, number>>()
  protected readonly peers = new Map<string, Peer>()
  protected readonly calls = new Set<Call>()
  protected readonly asks = new Map<string, Ask>()
  /** When nobody knew an id. */
  protected readonly negatives = new Map<string, number>()
  /** Which changes of each replica lost, by number. */
  protected readonly verdicts = new Map<string, Map<number, { said: string; at: number }>>()
  /** Who waits for an acknowledgement. */
  protected readonly dirty = new Set<string>()
  /** Who was asked for a snapshot. */
  protected tried = new Set<string>()

  /** Goes on with all that waits for something. */
  protected abstract work(): void

  open(host: ClientStoreHost): Promise<void> {
    this.host = host
    this.startedAt = host.clock.wallTime()
    this.echo = this.mono() - 9_000
    this.bornMono = this.mono()
    this.bornAt = this.now()
    this.beat()
    return new Promise((resolve) => {
      this.opened = resolve
    })
  }

  driverSaid(): void {}

  status(): ClientStoreStatus {
    const replicas = [...this.peers.keys()].map((replica) => {
      return { replica, isFresh: this.isFresh(replica) }
    })
    return { isReady: this.isSynced && this.inTouch(), replicas }
  }

  // ---- clocks

  protected mono(): number {
    return this.host.clock.now()
  }

  /** The clock of derived times: it stands still while the own beats do not come back. */
  protected now(): number {
    return this.base + Math.min(this.mono() - this.echo, 1.5 * BEAT)
  }

  protected inTouch(): boolean {
    return this.mono() - this.echo < TOUCH && this.mono() - this.back > 1.5 * BEAT
  }

  protected stamp(): string {
    this.last = Math.max(this.host.clock.wallTime(), this.last + 1)
    return `${this.last}~${this.host.replica}`
  }

  protected sawStamp(stamp: string): void {
    if (stamp !== '') this.last = Math.max(this.last, Number(stamp.split('~')[0]))
  }

  protected isFresh(replica: string): boolean {
    const peer = this.peers.get(replica)
    return peer !== undefined && !peer.dead && this.now() - peer.at < FRESH
  }

  protected others(): string[] {
    return [...this.peers.keys()].filter((peer) => this.isFresh(peer))
  }

  protected isUnsure(waiting: Iterable<string>): boolean {
    if (this.now() - this.empty < TTL_MS || !this.inTouch()) return true
    if ([...waiting].some((peer) => this.isFresh(peer))) return true
    return [...this.peers].some(([peer, { at }]) => !this.isFresh(peer) && this.now() - at < TTL_MS)
  }

  // ---- records

  protected stateOf(record: ModelRecord | undefined): 'none' | 'live' | 'dormant' {
    if (record === undefined || !exists(record)) return 'none'
    let idle = record.made
    for (const [holder, { ids, at }] of Object.entries(record.holders)) {
      const isOwn = holder === this.host.replica
      if (ids.length > 0 && (isOwn || this.isFresh(holder))) return 'live'
      const peer = this.peers.get(holder)
      const end = ids.length === 0 || peer === undefined ? at : peer.at + (peer.dead ? BEAT : FRESH)
      idle = Math.max(idle, end)
    }
    const age = this.now() - idle
    if (age < record.set.ttlMs) return 'live'
    return age < record.set.ttlMs + DORMANT_MS ? 'dormant' : 'none'
  }

  protected isLive(id: string): boolean {
    return this.stateOf(this.records.get(id)) === 'live'
  }

  protected publicOf(id: string): ClientRecord {
    const record = this.records.get(id) ?? emptyRecord(TTL_MS)
    const { ttlMs, metadata, madeAt } = record.set
    const connections = Object.entries(record.holders)
      .filter(([holder]) => holder === this.host.replica || this.isFresh(holder))
      .flatMap(([replica, { ids }]) => ids.map((each) => ({ id: each, replica, since: 0 })))
    const topics = new Map(topicsOf(record).map((topic) => [topic, 0]))
    const wasConnected = this.wasConnected.has(id)
    return { id, ttlMs, metadata, madeAt, topics, connections, wasConnected }
  }

  /** Tells the host what changed of a client. */
  protected show(id: string, isLate = false): void {
    const before = this.told.get(id)
    if (!this.isLive(id)) {
      if (before === undefined) return
      this.told.delete(id)
      const record = { id, ttlMs: 0, metadata: {}, madeAt: '', topics: new Map() }
      const reason = exists(this.records.get(id) ?? emptyRecord(0)) ? 'expired' : 'removed'
      this.host.removed({ ...record, connections: [], wasConnected: false }, reason)
      return
    }
    const record = this.publicOf(id)
    const now = [...record.topics.keys()]
    if (before === now.join(' ')) return
    const then = before?.split(' ') ?? []
    this.told.set(id, now.join(' '))
    const added = now.filter((topic) => !then.includes(topic))
    const removed = then.filter((topic) => !now.includes(topic))
    this.host.changed(record, { added, removed, isLate })
  }

  protected merge(from: Fragment, isLate: boolean): void {
    const { id } = from
    const record = this.records.get(id) ?? emptyRecord(TTL_MS)
    this.records.set(id, record)
    for (const stamp of [from.born, from.gone, from.set.stamp]) this.sawStamp(stamp)
    for (const { stamp } of Object.values(from.topics)) this.sawStamp(stamp)
    const goneBefore = record.gone
    const topicsBefore = topicsOf(record)
    mergeFragment(record, from, this.now(), this.host.replica)
    if (record.gone > goneBefore) this.endConnections(id, record.gone)
    if (exists(record)) this.negatives.delete(id)
    const added = topicsOf(record).filter((topic) => !topicsBefore.includes(topic))
    if (added.length > 0) void this.deliver(added)
    this.show(id, isLate)
  }

  protected async deliver(topics: string[]): Promise<void> {
    const applied = new Map(this.applied)
    this.undelivered.add(applied)
    await this.host.delivers(topics)
    this.undelivered.delete(applied)
  }

  protected endConnections(id: string, upTo?: string): void {
    for (const [connection, { born }] of this.own.get(id) ?? []) {
      if (upTo === undefined || born <= upTo) this.host.evict(id, connection, 'removed')
    }
  }

  // ---- sending

  protected send(message: Partial<Message> & Pick<Message, 'kind'>, to?: string): void {
    const { replica: from, name } = this.host
    const whole = { ...message, from, name, startedAt: this.startedAt }
    this.host.tell(new TextEncoder().encode(JSON.stringify(whole)), to).catch(() => undefined)
  }

  protected publish(message: Partial<Message> & Pick<Message, 'kind'>): number {
    this.n++
    this.send({ ...message, n: this.n })
    return this.n
  }

  protected announce(id: string): void {
    const record = this.records.get(id)!
    const ids = [...(this.own.get(id)?.keys() ?? [])]
    record.holders[this.host.replica] = { n: this.n + 1, ids, at: this.now() }
    this.show(id)
    if (this.isStale || this.mono() - Math.max(this.echo, this.bornMono) > STALE) return
    this.publish({ kind: 'record', fragment: fragmentOf(id, record, this.now()) })
  }

  protected digest(): number[] {
    const digest = Array.from({ length: BUCKETS }, () => 0)
    for (const [id, record] of this.records) {
      if (this.stateOf(record) !== 'live') continue
      const holders = Object.entries(record.holders)
        .toSorted(([one], [other]) => (one < other ? -1 : 1))
        .filter(([peer, { ids }]) => {
          return ids.length > 0 && (peer === this.host.replica || this.isFresh(peer))
        })
        .map(([peer, { ids }]) => [peer, ids])
      const { born, gone, set } = record
      const text = JSON.stringify([id, born, gone, set.stamp, topicsOf(record), holders])
      digest[bucketOf(id)]! ^= hashOf(text)
    }
    return digest
  }

  protected beat(): void {
    for (const [id, record] of this.records) {
      this.show(id)
      const isOver = this.stateOf(record) === 'none' && !this.isKept(record)
      if (isOver) this.records.delete(id)
    }
    const saysAll = Object.fromEntries(
      [...this.verdicts.keys()].map((peer) => [peer, this.saysTo(peer)]),
    )
    const applied = Object.fromEntries([...this.peers.keys()].map((p) => [p, this.ackOf(p)]))
    const { digest, stale, synced } = {
      digest: this.digest(),
      stale: this.isStale,
      synced: this.isSynced,
    }
    this.publish({ kind: 'beat', applied, digest, stale, synced, saysAll })
    this.work()
    this.host.clock.after(BEAT, () => this.beat())
  }

  protected isKept(record: ModelRecord): boolean {
    if (exists(record)) return this.now() - record.made <= TTL_MS
    return record.gone !== '' && this.now() - record.goneAt <= TOMBSTONE_MS
  }

  protected ackOf(peer: string): number {
    let top = this.applied.get(peer) ?? 0
    for (const before of this.undelivered) top = Math.min(top, before.get(peer) ?? 0)
    return top
  }

  protected saysTo(peer: string): Record<string, string> {
    const verdicts = this.verdicts.get(peer) ?? new Map()
    for (const [n, { at }] of verdicts) {
      if (this.mono() - at > CHANGE_TIMEOUT_MS) verdicts.delete(n)
    }
    return Object.fromEntries([...verdicts].map(([n, { said }]) => [n, said]))
  }
}
