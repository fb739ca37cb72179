import type { ClientStoreHost } from '../clients/client-store.ts'
import { StreamerError } from '../errors.ts'
import { Acknowledgements } from './acknowledgements.ts'
import { Asks } from './asks.ts'
import { Changes, claimVerdict, verdictOf } from './changes.ts'
import { Channel } from './channel.ts'
import { BUCKETS, ControlCodec, type ControlMessage } from './control-message.ts'
import { Numbers } from './numbers.ts'
import { type Peer, Peers } from './peers.ts'
import type { Fragment } from './record.ts'
import { Registry } from './registry.ts'
import type { ReplicatedClientStoreOptions, Settings } from './settings.ts'
import { Snapshots } from './snapshots.ts'
import { Stamps } from './stamps.ts'

/** After so many beats in which a part of the digest differed, it is asked for. */
const DIFFERING_BEATS = 3
/** How long the broker may take for the last message. */
const FAREWELL_MS = 1_000
/** A digest that stays the same is left out of beats after so many. */
const DIGEST_BEATS = 5

type Message<Kind extends ControlMessage['kind']> = Extract<ControlMessage, { kind: Kind }>

/** One replica of the clients, from its start to its end: what it hears, and what it says. */
export class Replica {
  readonly settings: Settings
  readonly peers: Peers
  readonly registry: Registry
  readonly changes: Changes
  readonly asks: Asks
  readonly #host: ClientStoreHost
  readonly #codec: ControlCodec
  readonly #channel: Channel
  readonly #stamps: Stamps
  readonly #numbers = new Map<string, Numbers>()
  readonly #own = new Numbers()
  readonly #acknowledgements: Acknowledgements
  readonly #snapshots: Snapshots
  readonly #onEmpty: () => Promise<void>
  /** Those whose next beat may show a hole that the driver's own gap has told of. */
  #excused = new Set<string>()
  /** When a hole of a replica was asked for. */
  readonly #holes = new Map<
    string,
    { readonly first: number; readonly last: number; readonly at: number; readonly tries: number }
  >()
  #isSynced = false
  /** Whether it was away, and has not heard since of all that the others told meanwhile. */
  #isCatchingUp = false
  #isFilling = false
  #onSynced: (() => void) | undefined
  #beats = 0
  #digest: { readonly sums: readonly number[]; sent: number } = { sums: [], sent: 0 }
  #cancelBeat: (() => void) | undefined
  #isOver = false

  constructor(
    host: ClientStoreHost,
    settings: Settings,
    options: ReplicatedClientStoreOptions,
    onEmpty: () => Promise<void>,
  ) {
    this.#host = host
    this.settings = settings
    this.#onEmpty = onEmpty
    const { clock, namespace } = host
    const peers = (this.peers = new Peers(clock, settings, host.replica))
    const stamps = (this.#stamps = new Stamps(clock, host.replica))
    this.#codec = new ControlCodec({
      namespace,
      replica: host.replica,
      secret: options.controlSecret,
      stamps,
      wallTime: () => clock.wallTime(),
      maxAgeMs: settings.tombstoneMs,
    })
    const channel = (this.#channel = new Channel(host, this.#codec, peers))
    const numbers = this.#numbers
    this.#acknowledgements = new Acknowledgements({ host, settings, peers, channel, numbers })
    const registry = (this.registry = new Registry({
      host,
      settings,
      peers,
      stamps,
      onTopics: (topics) => this.#acknowledgements.await(topics),
    }))
    this.changes = new Changes({ host, settings, peers, stamps, registry, channel })
    this.#snapshots = new Snapshots({
      host,
      settings,
      peers,
      registry,
      channel,
      numbers,
      announce: (id) => this.announce(id, false),
      onEmpty: () => void this.#fill(),
    })
    this.asks = new Asks({
      host,
      settings,
      peers,
      channel,
      isKnown: (id) => registry.isLive(id),
      sinceEmptyMs: () => this.#snapshots.sinceEmptyMs,
    })
  }

  /** Whether it knows all clients. */
  get isSynced(): boolean {
    return this.#isSynced
  }

  /** Whether it hears the others, and has noted what they answered while it did not. */
  get isCurrent(): boolean {
    return this.peers.isInTouch && !this.#isCatchingUp
  }

  /** Resolves once it knows all clients. */
  start(): Promise<void> {
    this.#beat()
    return new Promise((resolve) => (this.#onSynced = resolve))
  }

  /** Tells the others that it leaves; resolves once the broker has that, or is not waited for any longer. */
  async end(): Promise<void> {
    this.#isOver = true
    this.#cancelBeat?.()
    this.#channel.publish({ kind: 'bye' })
    this.changes.end(new StreamerError('CLOSING', 'This replica is closing: ask another one.'))
    const late = new Promise<void>((resolve) => {
      this.#host.clock.after(FAREWELL_MS, resolve)
    })
    await Promise.race([this.#channel.told(), late])
  }

  /** After a gap of the driver, a hole that each other replica's next beat shows is no further news. */
  excuseHoles(): void {
    this.#excused = new Set(this.#numbers.keys())
  }

  /** Tells all what this replica holds of a client, with all that is known of it. */
  announce(id: string, isOver: boolean): void {
    const { registry } = this
    registry.noteOwn(id, this.#channel.n + 1, isOver)
    if (this.#snapshots.isOutdated) return
    this.#channel.publish({ kind: 'record', fragment: registry.fragment(id) })
  }

  /** A message of a replica, in the order of the data. */
  receive(bytes: Uint8Array): void {
    const message = this.#isOver ? undefined : this.#codec.decode(bytes)
    if (message === undefined) return
    const isOwn = message.from === this.#host.replica
    if (isOwn) this.#ownCame(message)
    else this.#otherCame(message)
    this.#work()
  }

  #ownCame(message: ControlMessage): void {
    if (!('n' in message)) return
    // Also one that a later beat has overtaken.
    if (message.kind === 'record') this.changes.back(message.n)
    if (!this.#own.add(message.n)) return
    this.#own.advance()
    if (message.kind === 'beat') {
      for (const n of message.lost) this.#own.add(n)
      if (this.#own.judge(message.n)) this.#host.holeSeen(message.from)
      this.#own.raise(message.n)
      this.#host.beatCame(message.from, message.beat)
      this.#ownBeat()
    }
  }

  #otherCame(message: ControlMessage): void {
    const { from } = message
    if (!('n' in message)) {
      this.#answer(message)
      return
    }
    const peer = this.peers.meet(message)
    const numbers = this.#numbersOf(from)
    // What came after it may have been answered meanwhile, and so may this.
    const isBehind = message.n < numbers.last
    if (!numbers.add(message.n)) return
    if (message.kind === 'record') this.#changeCame(message, isBehind)
    else if (message.kind === 'beat') this.#otherBeat(message, peer, numbers, isBehind)
    else peer.isOver = true
    numbers.advance()
    this.#mend(from, numbers)
  }

  /** What is told to this replica alone. */
  #answer(message: Exclude<ControlMessage, { n: number }>): void {
    const { from } = message
    switch (message.kind) {
      case 'ack': {
        const peer = this.peers.get(from)
        if (peer !== undefined) peer.acknowledged = Math.max(peer.acknowledged, message.top)
        this.changes.hear(message.says)
        return
      }
      case 'again':
        if (this.#snapshots.isOutdated || !this.#channel.again(message.first, message.last, from))
          this.#beatSoon()
        return
      case 'want':
        this.#snapshots.give(message, from, this.#isSynced)
        return
      case 'part':
        this.#snapshots.take(message.key, message.part)
        return
      case 'ask':
        this.#tellOf(message.id, from)
        return
      case 'answer':
        if (message.fragment !== undefined) this.#merge(message.fragment, true)
        this.asks.answer(message.id, from, message.isSure)
    }
  }

  #changeCame({ from, n, fragment, op }: Message<'record'>, isBehind: boolean): void {
    const { registry, peers, settings, changes } = this
    const refuse = (verdict: string | undefined): void => {
      if (verdict !== undefined) this.#acknowledgements.refuse(from, n, verdict)
    }
    if (op !== undefined) {
      const parts = { registry, peers, settings, stamps: this.#stamps }
      const entry = registry.get(fragment.id)
      refuse(claimVerdict(entry, op, parts, changes.isClaiming(fragment.id)))
    }
    // Word of a connection brings all topics of its client: old ones, unless both replicas knew the same.
    const isNews = op !== undefined || peers.get(from)!.hasAgreed
    this.#merge(fragment, isBehind || !peers.isInTouch || !isNews)
    if (op !== undefined) refuse(verdictOf(registry.get(fragment.id), op))
    this.#acknowledgements.tell(from)
  }

  #merge(fragment: Fragment, isLate: boolean): void {
    this.registry.merge(fragment, { isLate })
    this.asks.found(fragment.id)
  }

  #ownBeat(): void {
    const { peers, settings } = this
    const { awayMs } = peers
    peers.echo()
    if (awayMs > settings.touchMs) this.#isCatchingUp = true
    if (this.#beats <= 3 || awayMs <= settings.staleMs) return
    this.#isSynced = false
    this.#snapshots.becomeStale(awayMs)
    this.#channel.forget()
  }

  #otherBeat(message: Message<'beat'>, peer: Peer, numbers: Numbers, isAgain: boolean): void {
    const { from, applied, says, lost } = message
    const self = this.#host.replica
    for (const n of lost) numbers.add(n)
    const isTold = this.#excused.delete(from)
    if (numbers.judge(message.n) && !isTold) this.#host.holeSeen(from)
    // One that was asked for again came without the data around it.
    if (!isAgain) this.#host.beatCame(from, message.beat)
    for (const [replica, said] of says) if (replica === self) this.changes.hear(said)
    const named = applied.find(([replica]) => replica === self)
    peer.at = this.peers.now
    peer.isStale = message.isStale
    peer.isSynced = message.isSynced
    // A new one has no digest of this replica yet.
    if (peer.lastBeat === 0) this.#beatSoon()
    peer.lastBeat = message.n
    peer.namesUs = named !== undefined
    peer.acknowledged = Math.max(peer.acknowledged, named?.[1] ?? 0)
    peer.digest = message.digest ?? peer.digest
    this.#compare(from, peer)
  }

  /** A part of the digest that stays different is asked for. */
  #compare(replica: string, peer: Peer): void {
    const { isSynced, digest, differs } = peer
    if (!this.#isSynced || !isSynced || this.#snapshots.isStale || digest === undefined) return
    const own = this.registry.digest
    const wanted: number[] = []
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      differs[bucket] = own[bucket] === digest[bucket] ? 0 : (differs[bucket] ?? 0) + 1
      if (differs[bucket]! >= DIFFERING_BEATS) wanted.push(bucket)
    }
    peer.hasAgreed ||= differs.every((count) => count === 0)
    if (wanted.length === 0) return
    differs.fill(0)
    this.#snapshots.want(replica, wanted)
    // What differs may be known here alone, and what was told of it may have been lost.
    this.#beatSoon()
  }

  /** Asks the sender of what is missing for it, and for all that it knows if that does not help. */
  #mend(replica: string, numbers: Numbers): void {
    // What was told before this replica began comes with its first snapshot.
    if (!this.#snapshots.hasOne) return
    const { hole } = numbers
    if (hole === undefined || !this.peers.isFresh(replica)) {
      this.#holes.delete(replica)
      return
    }
    const [first, last] = hole
    const known = this.#holes.get(replica)
    const { mono } = this.peers
    // While what was asked for comes, the rest of it is not asked for anew.
    if (known !== undefined && first <= known.last && mono - known.at < this.settings.beatMs) return
    const tries = known?.first === first ? known.tries + 1 : 1
    if (tries > 2) return this.#snapshots.want(replica)
    this.#holes.set(replica, { first, last, at: mono, tries })
    this.#channel.send({ kind: 'again', first, last }, replica)
  }

  #tellOf(id: string, to: string): void {
    const isKnown = this.registry.isLive(id)
    const fragment = isKnown ? { fragment: this.registry.fragment(id) } : {}
    this.#channel.send({ kind: 'answer', id, isSure: this.#isSynced, ...fragment }, to)
  }

  #numbersOf(replica: string): Numbers {
    let numbers = this.#numbers.get(replica)
    if (numbers === undefined) this.#numbers.set(replica, (numbers = new Numbers()))
    return numbers
  }

  /** Goes on with all that waits for something. */
  #work(): void {
    const { peers } = this
    if (!this.#isSynced && peers.isInTouch) this.#sync()
    else this.#snapshots.work()
    if (this.#isCatchingUp && peers.isInTouch)
      this.#isCatchingUp = !peers.fresh().every((replica) => this.#hasHeard(replica))
    this.changes.work()
  }

  #sync(): void {
    const { peers, registry } = this
    this.#snapshots.work()
    if (!this.#snapshots.hasOne || this.#snapshots.isStale || this.#isFilling) return
    const fresh = peers.fresh()
    if (!fresh.every((replica) => peers.get(replica)!.namesUs && this.#hasHeard(replica))) return
    this.#isSynced = true
    registry.isOpen = true
    this.#onSynced?.()
  }

  /** Whether nothing is missing of what a replica told up to its last beat. */
  #hasHeard(replica: string): boolean {
    return (this.#numbers.get(replica)?.top ?? 0) >= this.peers.get(replica)!.lastBeat
  }

  async #fill(): Promise<void> {
    this.#isFilling = true
    try {
      await this.#onEmpty()
    } finally {
      this.#isFilling = false
    }
  }

  /** Others lack what they cannot ask for: the digest shows what it came to. */
  #beatSoon(): void {
    this.#digest.sent = 0
  }

  #beat(): void {
    const { peers, registry, settings } = this
    this.#cancelBeat = this.#host.clock.after(settings.beatMs, () => this.#beat())
    registry.sweep()
    const forgotten = peers.forget(settings.dormantMs + this.#host.clientTtlMs)
    registry.forgetHolders(forgotten)
    for (const replica of forgotten) this.#numbers.delete(replica)
    const replicas = [...this.#numbers.keys()]
    this.#channel.publish({
      kind: 'beat',
      beat: ++this.#beats,
      applied: replicas.map((replica) => [replica, this.#acknowledgements.of(replica)]),
      ...this.#digestToSend(),
      isStale: this.#snapshots.isOutdated,
      isSynced: this.#isSynced,
      says: this.#acknowledgements.allSays,
      lost: this.#channel.lost,
    })
    this.#work()
  }

  #digestToSend(): { digest?: readonly number[] } {
    const { digest } = this.registry
    if (
      this.#digest.sums.some((sum, bucket) => sum !== digest[bucket]) ||
      this.#digest.sent === 0
    ) {
      this.#digest = { sums: [...digest], sent: 0 }
    }
    return this.#digest.sent++ < DIGEST_BEATS ? { digest: this.#digest.sums } : {}
  }
}
