import { StreamerError } from '../../../src/index.ts'
import type { ClusterStore } from './simulated-replica.ts'
import { type Ask, type Call, FRESH, type Message, WAIT } from './model-messages.ts'
import { emptyRecord, exists, type Fragment, fragmentOf } from './model-records.ts'
import { CHANGE_TIMEOUT_MS, TTL_MS } from './schedule.ts'
import type { ClientRecord, NewClient } from '../../../src/clients/client-store.ts'
import { ModelReplication } from './model-replication.ts'

/** The rules of the registry in their plainest form: what the simulation itself is tested with. */
export class ModelStore extends ModelReplication implements ClusterStore {
  // ---- calls

  protected work(): void {
    if (this.sync !== undefined && this.mono() - this.sync.moved > 2_000) {
      this.tried.add(this.sync.of)
      this.sync = undefined
    }
    if (!this.isSynced && this.inTouch()) this.syncOn()
    for (const call of this.calls) this.workOn(call)
  }

  protected syncOn(): void {
    if (!this.hasSnapshot || this.isStale) {
      if (this.others().length > 0) this.wantSnapshot()
      else if (this.isStale) {
        this.isStale = false
        this.hasSnapshot = true
      } else if (this.now() - this.bornAt > FRESH) this.startEmpty()
      return
    }
    const isNamed = this.others().every((id) => {
      const peer = this.peers.get(id)!
      return peer.names && (this.applied.get(id) ?? 0) >= peer.want
    })
    if (!isNamed) return
    this.isSynced = true
    this.opened()
  }

  protected workOn(call: Call): void {
    if (this.mono() - call.begun > CHANGE_TIMEOUT_MS) {
      this.calls.delete(call)
      call.reject(new StreamerError('CHANGE_TIMEOUT', 'Not all replicas answered.'))
    } else if (call.said === '~exists') {
      this.calls.delete(call)
      call.reject(new StreamerError('CLIENT_EXISTS', 'There is such a client.'))
    } else if (call.said !== undefined) {
      this.sawStamp(call.said)
      this.issue(call)
    } else if (this.isHeld(call)) {
      this.calls.delete(call)
      const isLoser = call.kind === 'claim' && this.records.get(call.id)?.born !== call.stamp
      if (isLoser) call.reject(new StreamerError('CLIENT_EXISTS', 'There is such a client.'))
      else call.resolve(true)
    }
  }

  protected isHeld(call: Call): boolean {
    if (!call.back || !this.inTouch() || !call.delivered) return false
    if (call.kind === 'make' && call.topics.length === 0) return true
    return this.others().every((peer) => this.peers.get(peer)!.ack >= call.n)
  }

  protected call(kind: Call['kind'], id: string, change: Partial<Fragment>, topics: string[]) {
    const { promise, resolve, reject } = Promise.withResolvers<boolean>()
    const progress = { n: 0, stamp: '', said: undefined, back: false, delivered: false }
    const begun = this.mono()
    const call: Call = { ...progress, kind, id, change, topics, resolve, reject, begun }
    this.issue(call)
    this.calls.add(call)
    void this.deliverFor(call)
    this.work()
    return promise
  }

  protected async deliverFor(call: Call): Promise<void> {
    await this.host.delivers(call.topics)
    call.delivered = true
    this.work()
  }

  protected issue(call: Call): void {
    const stamp = this.stamp()
    Object.assign(call, { stamp, said: undefined, back: false })
    const { kind, id, change } = call
    const now = this.now()
    const record = this.records.get(id) ?? emptyRecord(TTL_MS)
    this.records.set(id, record)
    const isMade = kind === 'make' || kind === 'claim'
    if (isMade && !this.isLive(id)) Object.assign(record, { born: stamp, made: now })
    const fragment: Fragment = { ...fragmentOf(id, record, now), topics: {}, holders: {} }
    if (kind === 'remove') Object.assign(fragment, { gone: stamp, goneAt: 0 })
    if (kind === 'claim') fragment.born = stamp
    if (change.set !== undefined) fragment.set = { ...change.set, stamp }
    for (const [topic, { on }] of Object.entries(change.topics ?? {})) {
      fragment.topics[topic] = { stamp, on }
    }
    this.merge(fragment, false)
    const topics = Object.keys(fragment.topics)
    call.n = this.publish({ kind: 'record', fragment, op: { kind, stamp, topics } })
  }

  protected mustBeReady(): void {
    if (!this.isSynced) throw new StreamerError('NOT_READY', 'This replica cannot know now.')
  }

  async create({ id, isIdChosen, ttlMs, metadata, madeAt, topics }: NewClient) {
    this.mustBeReady()
    if (this.isLive(id)) throw new StreamerError('CLIENT_EXISTS', 'There is such a client.')
    const on = Object.fromEntries(
      [...topics.keys()].map((topic) => [topic, { stamp: '', on: true }]),
    )
    const content = { set: { stamp: '', ttlMs, metadata, madeAt }, topics: on }
    if (isIdChosen) {
      await this.call('claim', id, {}, [])
      await this.call('topics', id, content, [...topics.keys()])
    } else {
      await this.call('make', id, content, [...topics.keys()])
    }
    return this.publicOf(id)
  }

  async changeTopics(id: string, subscribe: ReadonlyMap<string, number>, off: readonly string[]) {
    this.mustBeReady()
    if (!this.isLive(id)) return undefined
    const topics = Object.fromEntries([
      ...[...subscribe.keys()].map((topic) => [topic, { stamp: '', on: true }] as const),
      ...off.map((topic) => [topic, { stamp: '', on: false }] as const),
    ])
    await this.call('topics', id, { topics }, [...subscribe.keys()])
    return this.publicOf(id)
  }

  async remove(id: string): Promise<boolean> {
    this.mustBeReady()
    return this.isLive(id) ? this.call('remove', id, {}, []) : false
  }

  // ---- connections

  find(id: string): Promise<ClientRecord | undefined> {
    if (!this.isSynced)
      return Promise.reject(new StreamerError('NOT_READY', 'This replica cannot know now.'))
    if (this.isLive(id)) return Promise.resolve(this.publicOf(id))
    const record = this.records.get(id)
    if (record !== undefined && record.gone !== '' && !exists(record)) {
      return Promise.resolve(undefined)
    }
    if (!this.inTouch())
      return Promise.reject(new StreamerError('NOT_READY', 'This replica cannot know now.'))
    if (this.mono() - (this.negatives.get(id) ?? -1e9) < 5_000) return Promise.resolve(undefined)
    const others = this.others()
    if (others.length === 0) {
      return this.isUnsure([])
        ? Promise.reject(new StreamerError('NOT_READY', 'This replica cannot know now.'))
        : Promise.resolve(undefined)
    }
    const { promise, resolve, reject } = Promise.withResolvers<ClientRecord | undefined>()
    let ask = this.asks.get(id)
    if (ask === undefined) {
      ask = { wait: new Set(others), resolve: [], reject: [] }
      this.asks.set(id, ask)
      for (const peer of others) this.send({ kind: 'ask', id }, peer)
      const asked = ask
      this.host.clock.after(WAIT, () => this.endAsk(id, asked))
    }
    ask.resolve.push(resolve)
    ask.reject.push(reject)
    return promise
  }

  protected answer({ id, from }: Message): void {
    const fragment = this.isLive(id!) && fragmentOf(id!, this.records.get(id!)!, this.now())
    this.send({ kind: 'answer', id: id!, sure: this.isSynced, ...(fragment && { fragment }) }, from)
  }

  protected answerCame({ id, from, fragment, sure }: Message): void {
    const ask = this.asks.get(id!)
    if (ask === undefined) return
    if (fragment !== undefined) {
      this.merge(fragment, true)
      this.endAsk(id!, ask)
    } else if (sure === true) {
      ask.wait.delete(from)
      if (ask.wait.size === 0) this.endAsk(id!, ask)
    }
  }

  protected endAsk(id: string, ask: Ask): void {
    if (this.asks.get(id) !== ask) return
    this.asks.delete(id)
    if (this.isLive(id)) return ask.resolve.forEach((resolve) => resolve(this.publicOf(id)))
    if (this.isUnsure(ask.wait)) {
      return ask.reject.forEach((reject) =>
        reject(new StreamerError('NOT_READY', 'This replica cannot know now.')),
      )
    }
    this.negatives.set(id, this.mono())
    ask.resolve.forEach((resolve) => resolve(undefined))
  }

  async attach(id: string, { id: connection, since }: { id: string; since: number }) {
    if (!this.isLive(id)) return undefined
    const before = this.publicOf(id)
    const own = this.own.get(id) ?? new Map()
    this.own.set(id, own.set(connection, { born: this.records.get(id)!.born, since }))
    this.announce(id)
    return before
  }

  async detach(id: string, connection: string): Promise<void> {
    const own = this.own.get(id)
    if (own?.delete(connection) !== true) return
    if (this.records.has(id)) this.announce(id)
  }

  // ---- lists

  async list() {
    const ids = [...this.records.keys()].filter((id) => this.isLive(id)).toSorted()
    return { items: ids.map((id) => this.publicOf(id)) }
  }
}
