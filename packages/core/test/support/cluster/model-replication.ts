import {
  type Ask,
  bucketOf,
  BUCKETS,
  FRESH,
  type Message,
  type Peer,
  STALE,
  type Sync,
  TOUCH,
} from './model-messages.ts'
import { emptyRecord, exists, fragmentOf } from './model-records.ts'
import { CHANGE_TIMEOUT_MS, TTL_MS } from './schedule.ts'
import { ModelState } from './model-state.ts'

/** How a replica of the model takes over what others tell. */
export abstract class ModelReplication extends ModelState {
  /** Ends the wait of those who ask for a client. */
  protected abstract endAsk(id: string, ask: Ask): void

  /** Says whether a client is known. */
  protected abstract answer(message: Message): void

  protected abstract answerCame(message: Message): void

  // ---- receiving

  receive(bytes: Uint8Array): void {
    const message = JSON.parse(new TextDecoder().decode(bytes)) as Message
    const { from, n } = message
    const isOwn = from === this.host.replica
    if (n !== undefined && !isOwn && !this.isNew(message, n)) return
    switch (message.kind) {
      case 'beat':
        this.advance(from, isOwn)
        if (isOwn) this.ownBeat()
        else this.otherBeat(message)
        break
      case 'record':
        if (isOwn) for (const call of this.calls) call.back ||= call.n === n
        else this.changeCame(message)
        this.advance(from, isOwn)
        break
      case 'ack':
        this.acknowledged(message)
        break
      case 'want':
      case 'part':
      case 'ask':
      case 'answer':
        this.questionCame(message)
    }
    this.work()
  }

  /** Whether a numbered message did not come before. */
  protected isNew({ from, name, startedAt }: Message, n: number): boolean {
    this.peerOf(from, name, startedAt, this.now())
    const seen = this.seen.get(from) ?? new Set()
    this.seen.set(from, seen)
    if (n <= (this.applied.get(from) ?? 0) || seen.has(n)) return false
    seen.add(n)
    return true
  }

  protected acknowledged({ from, top, says }: Message): void {
    const peer = this.peers.get(from)
    if (peer !== undefined) peer.ack = Math.max(peer.ack, top!)
    this.hear(says!)
  }

  /** Of what one replica asks another, and is told. */
  protected questionCame(message: Message): void {
    if (message.kind === 'want') this.snapshot(message)
    else if (message.kind === 'part') this.partCame(message)
    else if (message.kind === 'ask') this.answer(message)
    else this.answerCame(message)
  }

  protected peerOf(replica: string, name: string, startedAt: number, at: number): Peer {
    let peer = this.peers.get(replica)
    if (peer === undefined) {
      const bad = Array.from({ length: BUCKETS }, () => 0)
      const flags = { dead: false, stale: false, names: false }
      peer = { name, startedAt, at, ack: 0, want: 0, bad, ...flags }
      this.peers.set(replica, peer)
    }
    return peer
  }

  protected changeCame({ from, n, op, fragment }: Message): void {
    if (op !== undefined) this.judgeBefore(from, n!, op, fragment!.id)
    this.merge(fragment!, !this.inTouch())
    if (op !== undefined) this.judge(from, n!, op, fragment!.id)
    if (this.dirty.size === 0) this.host.clock.after(5, () => this.acknowledge())
    this.dirty.add(from)
  }

  protected acknowledge(): void {
    const waits = this.undelivered.size > 0
    for (const peer of this.dirty) {
      this.send({ kind: 'ack', top: this.ackOf(peer), says: this.saysTo(peer) }, peer)
    }
    if (waits) this.host.clock.after(5, () => this.acknowledge())
    else this.dirty.clear()
  }

  protected hear(says: Record<string, string>): void {
    for (const call of this.calls) {
      const said = says[call.n]
      if (said !== undefined && said > (call.said ?? '')) call.said = said
    }
  }

  protected advance(from: string, isOwn: boolean): void {
    if (isOwn) return
    const seen = this.seen.get(from) ?? new Set()
    let top = this.applied.get(from) ?? 0
    while (seen.delete(top + 1)) top++
    for (const n of seen) if (n <= top) seen.delete(n)
    this.applied.set(from, top)
    if (seen.size > 0 && this.isFresh(from)) this.wantSnapshot(from)
  }

  protected ownBeat(): void {
    const away = this.mono() - Math.max(this.echo, this.bornMono)
    if (this.mono() - this.echo > TOUCH) this.back = this.mono()
    this.base = this.now()
    this.echo = this.mono()
    if (this.n <= 3 || away <= STALE) return
    this.isStale = true
    this.isSynced = false
    this.away = away
    this.whole = this.mono()
    this.tried = new Set()
  }

  protected otherBeat(message: Message): void {
    const { from, name, startedAt, applied, digest, saysAll } = message
    const peer = this.peers.get(from)!
    const self = this.host.replica
    this.hear(saysAll![self] ?? {})
    for (const other of this.peers.values()) {
      if (other.name === name && other.startedAt < startedAt) other.dead = true
    }
    peer.at = this.now()
    peer.stale = message.stale!
    peer.ack = Math.max(peer.ack, applied![self] ?? 0)
    peer.names = self in applied!
    peer.want = message.n!
    if (!this.isSynced || !message.synced || this.isStale) return
    const own = this.digest()
    peer.bad = peer.bad.map((times, at) => (own[at] === digest![at] ? 0 : times + 1))
    const buckets = peer.bad.flatMap((times, at) => (times >= 3 ? [at] : []))
    if (buckets.length === 0) return
    this.wantSnapshot(from, buckets)
    peer.bad.fill(0)
  }

  /** A claim meets a record that is settled: refused whatever the stamps. */
  protected judgeBefore(
    from: string,
    n: number,
    { kind, stamp }: NonNullable<Message['op']>,
    id: string,
  ) {
    const record = this.records.get(id)
    if (kind !== 'claim' || record === undefined || record.born === stamp) return
    if (this.stateOf(record) !== 'live') return
    const isOwn = record.born.endsWith(`~${this.host.replica}`)
    const isClaimed = [...this.calls].some((call) => call.kind === 'claim' && call.id === id)
    if (this.now() - record.made > CHANGE_TIMEOUT_MS || (isOwn && !isClaimed)) {
      this.say(from, n, '~exists')
    }
  }

  protected judge(from: string, n: number, op: NonNullable<Message['op']>, id: string): void {
    const record = this.records.get(id) ?? emptyRecord(TTL_MS)
    const { kind, stamp } = op
    if (kind === 'topics') {
      for (const topic of op.topics) {
        const now = record.topics[topic]?.stamp ?? ''
        if (now > stamp) this.say(from, n, now)
      }
    } else if (kind === 'remove') {
      if (exists(record)) this.say(from, n, record.born)
    } else if (kind === 'claim') {
      if (record.gone >= stamp) this.say(from, n, record.gone)
      else if (record.born !== stamp) this.say(from, n, '~exists')
    }
  }

  protected say(to: string, n: number, said: string): void {
    const verdicts = this.verdicts.get(to) ?? new Map()
    this.verdicts.set(to, verdicts)
    if (!verdicts.has(n)) verdicts.set(n, { said, at: this.mono() })
  }

  // ---- snapshots

  protected snapshot({ from, key, buckets, first }: Message): void {
    if (!this.isSynced && !this.isStale && first === true) {
      return this.send({ kind: 'part', key: key!, none: true }, from)
    }
    const applied = { ...Object.fromEntries(this.applied), [this.host.replica]: this.n }
    const ids = [...this.records.keys()].filter(
      (id) => buckets === undefined || buckets.includes(bucketOf(id)),
    )
    const part = (at: number): void => {
      const now = this.now()
      const fragments = ids
        .filter((id, index) => index % 3 === at && this.records.has(id))
        .map((id) => fragmentOf(id, this.records.get(id)!, now))
      const peers = Object.fromEntries(
        [...this.peers].map(([id, { at: last, name, startedAt }]) => [
          id,
          { age: now - last, name, startedAt },
        ]),
      )
      peers[this.host.replica] = { age: 0, name: this.host.name, startedAt: this.startedAt }
      const ages = { whole: this.mono() - this.whole, empty: now - this.empty }
      const values = { key: key!, part: at, fragments, applied, peers, stale: this.isStale }
      this.send({ kind: 'part', ...values, ...ages }, from)
      if (at < 2) this.host.clock.after(50, () => part(at + 1))
    }
    part(0)
  }

  protected wantSnapshot(of?: string, buckets?: number[]): void {
    if (this.sync !== undefined) return
    const others = this.others()
    if (others.length === 0) return
    const whole = others.filter((peer) => !this.peers.get(peer)!.stale)
    const able = whole.length > 0 ? whole : others
    let left = able.filter((peer) => !this.tried.has(peer))
    if (left.length === 0) {
      this.tried = new Set()
      left = able
      const isPatient = this.now() - this.bornAt > FRESH
      if (!this.isSynced && !this.isStale && isPatient) return this.startEmpty()
    }
    const from = of ?? left[Math.floor(this.host.random() * left.length)]!
    const key = this.host.random()
    this.sync = { of: from, key, moved: this.mono(), parts: new Map(), buckets }
    const first = !this.hasSnapshot
    this.send({ kind: 'want', key, first, ...(buckets && { buckets }) }, from)
  }

  protected startEmpty(): void {
    this.hasSnapshot = true
    this.empty = this.now()
  }

  protected partCame(message: Message): void {
    const sync = this.sync
    if (sync === undefined || sync.key !== message.key) return
    if (message.none === true) {
      this.tried.add(message.from)
      sync.moved -= 1_500
      return
    }
    sync.parts.set(message.part!, message)
    sync.moved = this.mono()
    if (sync.parts.size < 3) return
    this.sync = undefined
    this.takeSnapshot(sync, sync.parts.get(2)!)
  }

  protected takeSnapshot(sync: Sync, last: Message): void {
    const isDropped = this.isStale && !last.stale && last.whole! > this.away
    if (isDropped) {
      this.whole = this.mono() - last.whole!
      for (const [id, record] of this.records) {
        if (exists(record)) this.records.set(id, emptyRecord(TTL_MS))
      }
    }
    if (this.isStale || !last.stale) {
      const fragments = [...sync.parts.values()].flatMap((part) => part.fragments!)
      for (const fragment of fragments) this.merge(fragment, true)
    }
    for (const id of this.own.keys()) {
      const record = this.records.get(id)
      if (record !== undefined && exists(record)) this.announce(id)
      else if (isDropped) this.endConnections(id)
    }
    for (const id of this.records.keys()) this.show(id)
    this.heardOf(last.peers!)
    if (sync.buckets === undefined) this.caughtUp(last)
  }

  protected heardOf(peers: NonNullable<Message['peers']>): void {
    for (const [id, { age, name, startedAt }] of Object.entries(peers)) {
      if (id === this.host.replica) continue
      const peer = this.peerOf(id, name, startedAt, -99_000)
      peer.at = Math.max(peer.at, this.now() - age)
    }
  }

  /** All that its sender had applied when the snapshot began is applied. */
  protected caughtUp({ applied, empty, whole }: Message): void {
    for (const [id, n] of Object.entries(applied!)) {
      if (id === this.host.replica) continue
      this.applied.set(id, Math.max(this.applied.get(id) ?? 0, n))
      this.advance(id, false)
    }
    if (!this.hasSnapshot) {
      this.empty = Math.max(this.empty, this.now() - empty!)
      this.whole = this.mono() - whole!
    }
    this.hasSnapshot = true
    this.isStale = false
    this.tried = new Set()
  }
}
