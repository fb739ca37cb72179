import { type Change, describe, isAlone, isMaking, isSeen } from './history.ts'
import { type Act, type PlannedChange, TTL_MS } from './schedule.ts'
import type { SimulatedReplica } from './simulated-replica.ts'
import { StreamerError } from '../../../src/index.ts'
import { checkIncarnation } from './checks.ts'
import type { Simulation } from './simulation.ts'

/** When it is looked at again whether an answered change still holds. */
const LATER_MS = [3_000, 12_000, 30_000]

/** Applications that ask replicas for changes, each behind the answer to the one before. */
export class Callers {
  readonly #simulation: Simulation
  /** What goes on when a change ends that no answer will come to. */
  readonly #goOn = new Map<Change, () => void>()

  constructor(simulation: Simulation) {
    this.#simulation = simulation
  }

  begin(act: Extract<Act, { do: 'change' }>, changes: readonly PlannedChange[]): void {
    const { client, pauseMs } = act
    const [planned, ...rest] = changes
    if (planned === undefined) return
    const { timeline, replicas, history } = this.#simulation
    const via = replicas.get(planned.via)!
    const next = () => timeline.after(pauseMs, () => this.begin(act, rest))
    if (!via.isUp || (!via.isStalled && !via.isOpen)) return next()
    const change: Change = {
      kind: planned.kind,
      client,
      topic: planned.topic,
      via,
      begin: timeline.now,
      end: Infinity,
      outcome: 'pending',
      issuedAt: 0,
      isLost: false,
      holders: new Set(),
    }
    history.changes.push(change)
    this.#simulation.log(describe(change), 'via', via.id)
    const goOn = () => {
      const isConnecting = changes === act.changes && change.outcome === 'answered'
      if (isConnecting && act.connectsTo !== undefined) {
        this.#simulation.browsers.open(client, act.connectsTo, Infinity)
      }
      next()
    }
    this.#goOn.set(change, goOn)
    via.give('call', () => void this.#issue(change))
  }

  /** The replica was killed: its callers learn of it. */
  died(replica: SimulatedReplica): void {
    for (const change of this.#goOn.keys()) {
      if (change.via === replica) this.#settle(change, 'refused', 'killed')
    }
  }

  async #issue(change: Change): Promise<void> {
    const { timeline, history } = this.#simulation
    if (!change.via.isOpen) return this.#settle(change, 'refused', 'not open')
    change.issuedAt = timeline.now
    try {
      const isThere = await change.via.whileRunning(request(change))
      if (isThere) return this.#answered(change)
      // Nothing was asked of anybody.
      history.changes.splice(history.changes.indexOf(change), 1)
      this.#settle(change, 'refused', 'no such client')
    } catch (error) {
      if (!(error instanceof StreamerError)) {
        this.#simulation.fail('error', `${describe(change)}: ${(error as Error).stack}`)
      }
      const { code } = error as StreamerError
      this.#checkRefusal(change, code)
      this.#settle(change, code === 'CLIENT_EXISTS' ? 'exists' : 'refused', code)
    }
  }

  /** Where nothing is wrong, a change is not refused for want of answers. */
  #checkRefusal(change: Change, code: string): void {
    const simulation = this.#simulation
    const isExcused =
      code === 'CHANGE_TIMEOUT'
        ? !simulation.areAllWell()
        : code !== 'NOT_READY' || !simulation.areAllWell(TTL_MS)
    if (!isExcused) simulation.fail('refused', `${describe(change)}: ${code}, though all are well`)
  }

  #settle(change: Change, outcome: Change['outcome'], why: string): void {
    const next = this.#goOn.get(change)
    if (next === undefined) return
    this.#goOn.delete(change)
    change.outcome = outcome
    this.#simulation.log('   ', describe(change), outcome, why)
    next()
  }

  #answered(change: Change): void {
    if (!this.#goOn.has(change)) return
    const { timeline, history, replicas } = this.#simulation
    change.end = timeline.now
    change.outcome = 'answered'
    if (isMaking(change)) {
      for (const times of [history.lastSeen, history.lastHeard]) {
        times.set(change.client, Math.max(times.get(change.client) ?? 0, change.issuedAt))
      }
    }
    for (const replica of replicas.values()) history.noteHolder(replica, change.client)
    this.#checkHolds(change)
    for (const ms of LATER_MS) timeline.after(ms, () => this.#checkHolds(change))
    this.#checkMadeOnce(change)
    this.#settle(change, 'answered', '')
  }

  /** Whoever was heard by the others has what was answered. */
  #checkHolds(change: Change): void {
    const simulation = this.#simulation
    const { history, replicas } = simulation
    const changes = history.changesOf(change.client)
    // Who alone knows of it may be cut off now.
    const isKept =
      !change.isLost &&
      [...change.holders].some(
        (holder) => simulation.isWell(holder) || change.end === simulation.timeline.now,
      )
    if (change.kind === 'make' || !isKept || !isAlone(change, changes)) return
    if (change.kind !== 'remove' && !this.#isAlive(change.client)) return
    for (const replica of replicas.values()) {
      if (!simulation.isWell(replica)) continue
      checkIncarnation(simulation, replica, change.client)
      if (!isSeen(replica, change)) {
        simulation.fail('c', `${describe(change)} is answered, ${replica.id} does not have it`)
      }
      const holds = history.tabs.some(
        (tab) => tab.at === replica && tab.isOpen && tab.client === change.client,
      )
      if (change.kind === 'subscribe' && holds && !replica.delivered.has(change.topic)) {
        simulation.fail(
          'c',
          `${describe(change)} is answered, its messages do not reach a connection`,
        )
      }
    }
  }

  /** Whether every well replica has reason to keep a client: nobody knows what one that is cut off holds. */
  #isAlive(client: string): boolean {
    const { history, timeline } = this.#simulation
    if (!history.isValid(client, timeline.now)) return false
    const isHeld = history.tabs.some(
      (tab) => tab.isOpen && tab.client === client && this.#simulation.isWell(tab.at!),
    )
    return isHeld || timeline.now - history.lastHeard.get(client)! < TTL_MS * 0.8
  }

  #checkMadeOnce(change: Change): void {
    if (change.kind !== 'claim') return
    const { history, timeline } = this.#simulation
    if (history.wasRemoved(change.client)) return
    for (const other of history.changesOf(change.client)) {
      const isTwice =
        other !== change &&
        other.kind === 'claim' &&
        other.outcome === 'answered' &&
        !other.isLost &&
        timeline.now - other.end < TTL_MS * 0.8 &&
        // Split by a partition, both succeed.
        [...other.holders].some((holder) => this.#simulation.isWell(holder))
      if (isTwice) this.#simulation.fail('f', `${change.client} is made twice`)
    }
  }
}

function request({ kind, client: id, topic, via }: Change): Promise<boolean> {
  const { store } = via
  switch (kind) {
    case 'make':
    case 'claim': {
      const made = {
        id,
        ttlMs: TTL_MS,
        metadata: { topic },
        topics: new Map(topic === '' ? [] : [[topic, 0]]),
        madeAt: '0',
        isIdChosen: kind === 'claim',
      }
      return store.create(made).then(() => true)
    }
    case 'subscribe':
      return store
        .changeTopics(id, new Map([[topic, 0]]), [])
        .then((record) => record !== undefined)
    case 'unsubscribe':
      return store.changeTopics(id, new Map(), [topic]).then((record) => record !== undefined)
    case 'remove':
      return store.remove(id)
  }
  return kind satisfies never
}
