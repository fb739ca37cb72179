import type { ClientStoreHost } from '../clients/client-store.ts'
import type { Channel } from './channel.ts'
import type { ControlBody, SnapshotPart } from './control-message.ts'
import { Numbers } from './numbers.ts'
import type { Peers } from './peers.ts'
import { exists, type Fragment } from './record.ts'
import { bucketOf, type Registry } from './registry.ts'
import type { Settings } from './settings.ts'

/** About how long the clients of one part are, as text. */
const PART_LENGTH = 64 * 1024
/** Between the parts, so that a large snapshot holds up nothing else. */
const PAUSE_MS = 2
/** One that says nothing for so long, in beats, is not waited for. */
const PATIENCE_BEATS = 2

type Want = Extract<ControlBody, { kind: 'want' }>

/** What it stands on. */
export interface SnapshotsOptions {
  readonly host: ClientStoreHost
  readonly settings: Settings
  readonly peers: Peers
  readonly registry: Registry
  readonly channel: Channel
  readonly numbers: Map<string, Numbers>
  /** Tells what this replica holds of a client. */
  readonly announce: (id: string) => void
  /** Nobody has anything: this replica begins with what is kept elsewhere, or with nothing. */
  readonly onEmpty: () => void
}

/** How replicas learn from each other what they missed. */
export class Snapshots {
  readonly #options: SnapshotsOptions
  readonly #bornAt: number
  #running: Running | undefined
  #tried = new Set<string>()
  #keys = 0
  /** Whether this replica knows all that there was to know. */
  hasOne = false
  /** Whether it may have forgotten removals, after a long time out of touch. */
  isStale = false
  #awayMs = 0
  /** Since when it is in touch, on the monotonic clock; and since when it began empty. */
  #wholeAt = Number.NEGATIVE_INFINITY
  #emptyAt = Number.NEGATIVE_INFINITY

  constructor(options: SnapshotsOptions) {
    this.#options = options
    this.#bornAt = options.peers.now
  }

  /**
   * Whether it may have missed removals that nobody remembers, also while it does not know yet for how long it was away: what
   * it tells would bring back who was removed.
   */
  get isOutdated(): boolean {
    const { peers, settings } = this.#options
    return this.isStale || peers.awayMs > settings.staleMs
  }

  /** For how long, in milliseconds, this replica, or the one that it learned from, knows of everything. */
  get sinceEmptyMs(): number {
    return this.#options.peers.now - this.#emptyAt
  }

  /** It was out of touch for so long that others may have forgotten what they removed meanwhile. */
  becomeStale(awayMs: number): void {
    this.isStale = true
    this.#awayMs = awayMs
    this.#wholeAt = this.#options.peers.mono
    this.#tried = new Set()
  }

  /** Asks until there is one. */
  work(): void {
    const { peers, settings } = this.#options
    const running = this.#running
    if (running !== undefined && peers.mono - running.movedAt > PATIENCE_BEATS * settings.beatMs) {
      this.#tried.add(running.of)
      this.#running = undefined
    }
    if (this.hasOne && !this.isStale) return
    if (peers.fresh().length > 0) {
      this.want()
    } else if (this.isStale) {
      this.isStale = false
      this.hasOne = true
    } else if (peers.now - this.#bornAt > settings.silentMs) {
      this.#beginEmpty()
    }
  }

  /** Asks one replica for its clients, or for some parts of the digest. */
  want(of?: string, buckets?: readonly number[]): void {
    if (this.#running !== undefined) return
    const from = of ?? this.#choose()
    if (from === undefined) return
    const { peers, channel } = this.#options
    const key = `${channel.self.startedAt}-${++this.#keys}`
    this.#running = {
      of: from,
      key,
      movedAt: peers.mono,
      parts: new Map(),
      buckets,
      last: undefined,
    }
    const isFirst = !this.hasOne
    channel.send({ kind: 'want', key, isFirst, ...(buckets !== undefined && { buckets }) }, from)
  }

  /** Sends what is asked for, a part at a time. */
  give({ key, buckets, isFirst }: Want, to: string, isSynced: boolean): void {
    const { host, channel, registry, numbers } = this.#options
    if (!isSynced && !this.isStale && isFirst) return channel.send({ kind: 'part', key }, to)
    const own = [channel.self.from, channel.n] as const
    const applied = [...[...numbers].map(([replica, { top }]) => [replica, top] as const), own]
    const wanted = buckets && new Set(buckets)
    const ids = [...registry.ids].filter((id) => wanted === undefined || wanted.has(bucketOf(id)))
    let next = 0
    const give = (index: number): void => {
      const fragments: Fragment[] = []
      for (let length = 0; length < PART_LENGTH && next < ids.length; next++) {
        if (registry.get(ids[next]!) === undefined) continue
        const fragment = registry.fragment(ids[next]!)
        fragments.push(fragment)
        length += JSON.stringify(fragment).length
      }
      const isLast = next >= ids.length
      const part = { index, isLast, fragments, applied, ...this.#circumstances() }
      channel.send({ kind: 'part', key, part }, to)
      if (!isLast) host.clock.after(PAUSE_MS, () => give(index + 1))
    }
    give(0)
  }

  /** A part of what was asked for came. */
  take(key: string, part: SnapshotPart | undefined): void {
    const running = this.#running
    if (running === undefined || running.key !== key) return
    if (part === undefined || (part.isStale && !this.hasOne && !this.isStale)) {
      // It has none yet, or has to learn itself what it missed; the next is asked soon, but not at once.
      this.#tried.add(running.of)
      running.movedAt -= (PATIENCE_BEATS - 0.5) * this.#options.settings.beatMs
      return
    }
    running.movedAt = this.#options.peers.mono
    running.parts.set(part.index, part)
    if (part.isLast) running.last = part
    const { last, parts } = running
    if (last === undefined || parts.size <= last.index) return
    this.#running = undefined
    this.#learn(running, last)
  }

  #circumstances(): Pick<SnapshotPart, 'peers' | 'isStale' | 'whole' | 'empty'> {
    const { peers, channel } = this.#options
    return {
      peers: peers.ages(channel.self),
      isStale: this.isOutdated,
      // One that has nothing yet knows of nothing that went before.
      whole: this.hasOne ? bounded(peers.mono - this.#wholeAt) : 0,
      empty: bounded(peers.now - this.#emptyAt),
    }
  }

  #choose(): string | undefined {
    const { peers, settings, host } = this.#options
    const others = peers.fresh()
    const sound = others.filter((replica) => {
      const { isStale, isSynced } = peers.get(replica)!
      return isSynced && !isStale
    })
    const able = sound.length > 0 ? sound : others
    let left = able.filter((replica) => !this.#tried.has(replica))
    if (left.length === 0) {
      this.#tried = new Set()
      left = able
      if (!this.hasOne && !this.isStale && peers.now - this.#bornAt > settings.silentMs) {
        this.#beginEmpty()
        return undefined
      }
    }
    return left[Math.floor(host.random() * left.length)]
  }

  #beginEmpty(): void {
    const { peers } = this.#options
    this.hasOne = true
    this.#emptyAt = peers.now
    this.#wholeAt = peers.mono
    this.#options.onEmpty()
  }

  #learn({ buckets, parts }: Running, last: SnapshotPart): void {
    const { registry, peers, channel, announce } = this.#options
    // First, since whether a client is live depends on when those who hold its connections were heard.
    peers.heardOf(last.peers)
    const isDropped = this.isStale && !last.isStale && last.whole > this.#awayMs
    if (isDropped) {
      this.#wholeAt = peers.mono - last.whole
      registry.drop()
    }
    if (this.isStale || !last.isStale) {
      for (const { fragments } of parts.values())
        for (const fragment of fragments) registry.merge(fragment, { isLate: true })
    }
    // Others may list connections that ended here while nothing was announced.
    const listed = [...parts.values()].flatMap(({ fragments }) =>
      fragments.filter((fragment) => isListed(fragment, channel.self.from)).map(({ id }) => id),
    )
    for (const id of new Set([...registry.held, ...listed])) {
      const entry = registry.get(id)
      if (entry !== undefined && exists(entry)) announce(id)
      else if (isDropped) registry.endAll(id)
    }
    if (isDropped) for (const id of registry.ids) registry.show(id, true)
    if (buckets === undefined) this.#caughtUp(last)
  }

  /** All that its sender had applied when the snapshot began is applied here. */
  #caughtUp({ applied, empty, whole }: SnapshotPart): void {
    const { numbers, channel, peers } = this.#options
    for (const [replica, n] of applied) {
      if (replica === channel.self.from) continue
      let known = numbers.get(replica)
      if (known === undefined) numbers.set(replica, (known = new Numbers()))
      known.raise(n)
    }
    if (!this.hasOne) {
      this.#emptyAt = Math.max(this.#emptyAt, peers.now - empty)
      this.#wholeAt = peers.mono - whole
    }
    this.hasOne = true
    this.isStale = false
    this.#tried = new Set()
  }
}

/** Whether it says that a replica holds connections. */
function isListed({ holders }: Fragment, self: string): boolean {
  return holders.some(([replica, , connections]) => replica === self && connections.length > 0)
}

/** As a number that JSON has. */
function bounded(ms: number): number {
  return Math.min(ms, Number.MAX_SAFE_INTEGER)
}

/** A snapshot on its way. */
interface Running {
  readonly of: string
  readonly key: string
  movedAt: number
  readonly parts: Map<number, SnapshotPart>
  readonly buckets: readonly number[] | undefined
  last: SnapshotPart | undefined
}
