import type { Clock } from '../clock.ts'
import type { PeerAge, Sender } from './control-message.ts'
import type { Settings } from './settings.ts'

/** Another replica, as it was last heard. */
export interface Peer {
  readonly name: string
  readonly startedAt: number
  /** When its last beat came, on the clock of derived times. */
  at: number
  /** It said goodbye, or another one started under its name. */
  isOver: boolean
  /** The last number of this replica's messages that it has applied. */
  acknowledged: number
  /** The number of its last beat. */
  lastBeat: number
  /** Whether its beats name this replica. */
  namesUs: boolean
  isStale: boolean
  isSynced: boolean
  digest: readonly number[] | undefined
  /** Whether both have known the same, since this replica was last away. */
  hasAgreed: boolean
  /** By part of the digest: how many beats in a row differed. */
  readonly differs: number[]
}

/** Who else there is, who of them was heard lately, and whether this replica itself is heard. */
export class Peers {
  readonly #clock: Clock
  readonly #settings: Settings
  readonly #replica: string
  readonly #peers = new Map<string, Peer>()
  /** When the last own beat came back, and the derived time then. */
  #echoAt: number
  #base = 0
  /** Since when own beats come back, after a break. */
  #backAt = Number.NEGATIVE_INFINITY
  readonly #startedAt: number

  constructor(clock: Clock, settings: Settings, replica: string) {
    this.#clock = clock
    this.#settings = settings
    this.#replica = replica
    this.#startedAt = clock.now()
    this.#echoAt = Number.NEGATIVE_INFINITY
  }

  /** Time on the monotonic clock. */
  get mono(): number {
    return this.#clock.now()
  }

  /** The clock of derived times, such as how long a client is gone: it stands still while own beats do not come back. */
  get now(): number {
    const { beatMs } = this.#settings
    const since =
      this.#echoAt === Number.NEGATIVE_INFINITY ? 1.5 * beatMs : this.mono - this.#echoAt
    return this.#base + Math.min(since, 1.5 * beatMs)
  }

  /** Whether own beats come back, and have for a beat and a half. */
  get isInTouch(): boolean {
    const { beatMs, touchMs } = this.#settings
    return this.mono - this.#echoAt < touchMs && this.mono - this.#backAt > 1.5 * beatMs
  }

  /** For how long nothing came back, in milliseconds. */
  get awayMs(): number {
    return this.mono - Math.max(this.#echoAt, this.#startedAt)
  }

  get all(): IterableIterator<[string, Peer]> {
    return this.#peers.entries()
  }

  get(replica: string): Peer | undefined {
    return this.#peers.get(replica)
  }

  /** Those that were heard lately. */
  fresh(): string[] {
    const found: string[] = []
    for (const replica of this.#peers.keys()) if (this.isFresh(replica)) found.push(replica)
    return found
  }

  isFresh(replica: string): boolean {
    const peer = this.#peers.get(replica)
    return peer !== undefined && !peer.isOver && this.now - peer.at < this.#settings.silentMs
  }

  /** When the connections of a replica that is silent count as closed. */
  endOf({ at, isOver }: Peer): number {
    const { beatMs, silentMs } = this.#settings
    return at + (isOver ? beatMs : silentMs)
  }

  /** Whether one fell silent within so many milliseconds: it may know what nobody else does. */
  hasLost(ms: number): boolean {
    const { now } = this
    for (const [replica, { at, isOver }] of this.#peers) {
      if (!isOver && !this.isFresh(replica) && now - at < ms) return true
    }
    return false
  }

  /** The one of that id; noted if it was not known. */
  meet({ from, name, startedAt }: Sender, at: number = this.now): Peer {
    let peer = this.#peers.get(from)
    if (peer === undefined) {
      peer = {
        name,
        startedAt,
        at,
        isOver: false,
        acknowledged: 0,
        lastBeat: 0,
        namesUs: false,
        isStale: false,
        isSynced: false,
        digest: undefined,
        hasAgreed: false,
        differs: [],
      }
      this.#peers.set(from, peer)
      for (const [other, known] of this.#peers) if (other !== from) this.#compare(known, peer)
    }
    return peer
  }

  /** A beat of this replica came back. */
  echo(): void {
    const { mono } = this
    if (mono - this.#echoAt > this.#settings.touchMs) {
      this.#backAt = mono
      for (const peer of this.#peers.values()) peer.hasAgreed = false
    }
    this.#base = this.now
    this.#echoAt = mono
  }

  /** The age of each one's last beat, this one's own included. */
  ages(self: Sender): PeerAge[] {
    const { now } = this
    const others = [...this.#peers].map(([replica, { name, startedAt, at, isOver }]): PeerAge => [
      replica,
      name,
      startedAt,
      now - at,
      isOver,
    ])
    return [...others, [self.from, self.name, self.startedAt, 0, false]]
  }

  /** What another one knows of them. */
  heardOf(ages: readonly PeerAge[]): void {
    for (const [from, name, startedAt, age, isOver] of ages) {
      if (from === this.#replica) continue
      const at = this.now - age
      const peer = this.meet({ from, name, startedAt }, at)
      peer.at = Math.max(peer.at, at)
      if (isOver) peer.isOver = true
    }
  }

  /**
   * Forgets those that ended so long ago, and those that were silent for longer than removals are remembered; returns
   * them. One that comes back later has to learn anew.
   */
  forget(ms: number): string[] {
    const { now } = this
    const silentFor = Math.max(ms, this.#settings.tombstoneMs)
    const gone: string[] = []
    for (const [replica, { at, isOver }] of this.#peers) {
      if (now - at > (isOver ? ms : silentFor)) gone.push(replica)
    }
    for (const replica of gone) this.#peers.delete(replica)
    return gone
  }

  #compare(one: Peer, other: Peer): void {
    if (one.name !== other.name) return
    if (one.startedAt < other.startedAt) one.isOver = true
    else if (one.startedAt > other.startedAt) other.isOver = true
  }
}
