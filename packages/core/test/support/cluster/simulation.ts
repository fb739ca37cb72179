import type { DriverStatus } from '../../../src/index.ts'
import { Browsers } from './browsers.ts'
import { Callers } from './callers.ts'
import { checkEnd, checkLate, checkReady } from './checks.ts'
import { type Failure, History } from './history.ts'
import { type Act, type Schedule, TOMBSTONE_MS } from './schedule.ts'
import { SeededRandom } from './seeded-random.ts'
import { SimulatedBroker } from './simulated-broker.ts'
import {
  type ReplicaWatcher,
  SimulatedReplica,
  type World,
  type ClusterStore,
} from './simulated-replica.ts'
import type { TopicsChange } from '../../../src/clients/client-store.ts'
import { Timeline } from './timeline.ts'

/** A replica is not judged by what it missed so shortly before. */
const RECOVERY_MS = 8_000

/** Makes the store of one replica. */
export type MakeStore = (seed: number) => ClusterStore

export interface Outcome {
  readonly failures: readonly Failure[]
  readonly answered: number
  readonly refused: number
  readonly connected: number
  readonly unknown: number
  readonly carried: number
}

/** Runs a schedule to its end and checks it. With `trace`, tells what happens. */
export async function simulate(
  schedule: Schedule,
  makeStore: MakeStore,
  trace?: (line: string) => void,
): Promise<Outcome> {
  const simulation = new Simulation(schedule, makeStore, trace)
  return simulation.run()
}

/** A cluster on simulated time, with all that happens to it. */
export class Simulation implements ReplicaWatcher {
  readonly timeline = new Timeline()
  readonly random: SeededRandom
  readonly history = new History()
  readonly replicas = new Map<string, SimulatedReplica>()
  readonly broker: SimulatedBroker
  readonly schedule: Schedule
  /** Since when a replica is stalled or cut off, by its name. */
  readonly illSince = new Map<string, number>()
  /** Since when it is well again. */
  readonly wellSince = new Map<string, number>()
  /** How long it was cut off at the most, alone. */
  readonly longestCut = new Map<string, number>()
  readonly browsers: Browsers
  readonly #callers: Callers
  /** How many cuts there are now, by the name of the replica. */
  readonly #cuts = new Map<string, number>()
  /** Those that are cut off while others may not be. */
  readonly #cutAlone = new Set<string>()
  readonly #world: World
  readonly #trace: ((line: string) => void) | undefined

  constructor(schedule: Schedule, makeStore: MakeStore, trace?: (line: string) => void) {
    this.schedule = schedule
    this.#trace = trace
    this.random = new SeededRandom(schedule.seed)
    this.broker = new SimulatedBroker(this.timeline, this.random, this.replicas, schedule.isOrdered)
    this.browsers = new Browsers(this)
    this.#callers = new Callers(this)
    const { timeline, random, broker } = this
    const { seed } = schedule
    this.#world = { timeline, random, broker, watcher: this, makeStore: () => makeStore(seed) }
  }

  async run(): Promise<Outcome> {
    for (const { name } of this.schedule.machines) this.#start(name)
    for (const act of this.schedule.acts) this.timeline.at(act.at, () => this.#act(act))
    await this.timeline.runUntil(this.schedule.end)
    await checkEnd(this)
    for (const replica of this.replicas.values()) replica.kill()
    const { failures, changes } = this.history
    return {
      failures,
      answered: changes.filter(({ outcome }) => outcome === 'answered').length,
      refused: changes.filter(({ outcome }) => outcome !== 'answered').length,
      connected: this.browsers.connected,
      unknown: this.browsers.unknown,
      carried: this.broker.carried,
    }
  }

  log(...said: readonly unknown[]): void {
    this.#trace?.(`${(this.timeline.now / 1_000).toFixed(3).padStart(8)} ${said.join(' ')}`)
  }

  readonly fail = (rule: string, text: string): void => {
    this.history.failures.push({ rule, text: `${(this.timeline.now / 1_000).toFixed(3)} ${text}` })
    this.log('VIOLATION', rule, text)
  }

  /** Whether a replica has had all it needs to know all that was answered. */
  isWell(replica: SimulatedReplica): boolean {
    return (
      this.isReachable(replica) &&
      !this.illSince.has(replica.name) &&
      replica.isOpen &&
      replica.store.status().isReady &&
      this.timeline.now - this.wellSince.get(replica.name)! > RECOVERY_MS &&
      !this.broker.loss.has(replica.name)
    )
  }

  /** Whether all replicas are well, and have been for so much longer than it takes to recover. */
  areAllWell(sinceMs = 0): boolean {
    return [...this.replicas.values()].every(
      (replica) =>
        this.isWell(replica) &&
        this.timeline.now - this.wellSince.get(replica.name)! > RECOVERY_MS + sinceMs,
    )
  }

  isReachable({ isUp, isStalled, name }: SimulatedReplica): boolean {
    return isUp && !isStalled && !this.broker.cut.has(name)
  }

  viewChanged(replica: SimulatedReplica, client: string, change?: TopicsChange): void {
    this.history.noteHolder(replica, client)
    if (change !== undefined) checkLate(this, replica, client, change)
  }

  forgot(replica: SimulatedReplica, client: string): void {
    for (const change of this.history.changesOf(client)) {
      if (!change.holders.delete(replica)) continue
      change.isLost ||= ![...change.holders].some(({ isUp }) => isUp)
    }
  }

  told(replica: SimulatedReplica, client: string, connection: string | undefined): void {
    const tabs = this.history.tabs.filter(
      (tab) =>
        tab.at === replica &&
        tab.isOpen &&
        tab.client === client &&
        (connection === undefined || tab.connection === connection),
    )
    // The price of dropping tombstones: a connection that outlived them on a replica that was cut off alone.
    const isForgotten = (this.longestCut.get(replica.name) ?? 0) > TOMBSTONE_MS * 0.8
    if (isForgotten) for (const change of this.history.changesOf(client)) change.isLost = true
    for (const tab of tabs) this.browsers.close(tab, 'told')
  }

  becameReady(replica: SimulatedReplica): void {
    this.log(replica.id, 'is ready')
    checkReady(this, replica)
  }

  failed(replica: SimulatedReplica, error: unknown): void {
    this.fail('start', `${replica.id} does not start: ${String(error)}`)
  }

  #start(name: string): void {
    const machine = this.schedule.machines.find((each) => each.name === name)!
    const replica = new SimulatedReplica(this.#world, machine)
    this.replicas.set(name, replica)
    this.wellSince.set(name, this.timeline.now)
    this.timeline.after(this.random.between(10, 900), () => replica.start())
  }

  #act(act: Act): void {
    if (act.do !== 'change' && act.do !== 'connect') {
      this.log(act.do, 'replica' in act ? act.replica : '', `${(act.forMs / 1_000).toFixed(1)} s`)
    }
    switch (act.do) {
      case 'kill':
        return this.#kill(this.replicas.get(act.replica)!, act.forMs)
      case 'stop':
        return this.#stop(this.replicas.get(act.replica)!, act.forMs)
      case 'stall':
        return this.#stall(this.replicas.get(act.replica)!, act.forMs, act.waking)
      case 'cut':
        return this.#cut([act.replica], act.forMs)
      case 'outage':
        return this.#cut([...this.replicas.keys()], act.forMs)
      case 'deafen':
        return this.#deafen(act.replica, act.to, act.forMs)
      case 'lose':
        return this.#lose(act.replica, act.forMs)
      case 'change':
        return this.#callers.begin(act, act.changes)
      case 'connect':
        return this.browsers.open(act.client, act.replica, act.leavesAfterMs)
    }
  }

  #kill(replica: SimulatedReplica, forMs: number): void {
    if (!replica.isUp || !this.#isSpared(replica)) return
    replica.kill()
    this.browsers.died(replica)
    this.#died(replica, forMs)
  }

  /** Its connections end first, then it says goodbye. */
  #stop(replica: SimulatedReplica, forMs: number): void {
    if (!replica.isOpen || !this.#isSpared(replica)) return
    replica.give('call', () => {
      if (!replica.isOpen) return
      this.browsers.died(replica)
      this.timeline.after(1, () =>
        replica.give('call', () => void replica.stop().then(() => this.#died(replica, forMs))),
      )
    })
  }

  /** Whether others go on without it. */
  #isSpared(replica: SimulatedReplica): boolean {
    return [...this.replicas.values()].some((each) => each !== replica && each.isUp)
  }

  #died(replica: SimulatedReplica, forMs: number): void {
    this.#callers.died(replica)
    this.timeline.after(1_000, () => this.history.forget())
    this.timeline.after(Math.min(forMs, 8_000), () => this.#start(replica.name))
  }

  #stall(
    replica: SimulatedReplica,
    forMs: number,
    waking: 'inbox lost' | 'timers first' | 'in order',
  ): void {
    if (!replica.isUp || replica.isStalled) return
    replica.stall()
    this.#ill(replica.name)
    this.timeline.after(forMs, () => {
      if (!replica.isUp) return
      this.log('wakes', replica.name)
      replica.wake(waking)
      this.#well(replica.name)
    })
  }

  #cut(names: readonly string[], forMs: number): void {
    const isNoticed = this.random.chance(0.5)
    for (const name of names) {
      this.#cuts.set(name, (this.#cuts.get(name) ?? 0) + 1)
      this.broker.cut.add(name)
      if (names.length < this.replicas.size) this.#cutAlone.add(name)
      this.#ill(name)
      if (isNoticed) this.#driverSays(name, { type: 'reconnecting' })
    }
    this.timeline.after(forMs, () => {
      this.log('healed', ...names)
      for (const name of names) {
        const since = this.illSince.get(name) ?? this.timeline.now - forMs
        const cutMs = this.#cutAlone.has(name) ? this.timeline.now - since : 0
        this.longestCut.set(name, Math.max(this.longestCut.get(name) ?? 0, cutMs))
        const left = this.#cuts.get(name)! - 1
        this.#cuts.set(name, left)
        if (left > 0) continue
        this.broker.cut.delete(name)
        this.#cutAlone.delete(name)
        this.#well(name)
        if (!isNoticed) continue
        this.#driverSays(name, { type: 'gap', reason: 'broker-reconnected' })
        this.#driverSays(name, { type: 'connected' })
      }
    })
  }

  #driverSays(name: string, status: DriverStatus): void {
    const replica = this.replicas.get(name)!
    replica.give('message', () => replica.store.driverSaid(status))
  }

  #deafen(name: string, to: string, forMs: number): void {
    const route = `${name} ${to}`
    this.broker.deaf.add(route)
    this.#ill(name)
    this.timeline.after(forMs, () => {
      this.broker.deaf.delete(route)
      this.#well(name)
    })
  }

  #lose(name: string, forMs: number): void {
    this.broker.loss.set(name, 0.3)
    this.timeline.after(forMs, () => {
      this.broker.loss.delete(name)
      this.wellSince.set(name, this.timeline.now)
    })
  }

  #ill(name: string): void {
    if (!this.illSince.has(name)) this.illSince.set(name, this.timeline.now)
  }

  #well(name: string): void {
    this.wellSince.set(name, this.timeline.now)
    const replica = this.replicas.get(name)!
    const isDeaf = [...this.replicas.keys()].some((to) => this.broker.deaf.has(`${name} ${to}`))
    if (!replica.isStalled && !this.broker.cut.has(name) && !isDeaf) this.illSince.delete(name)
  }
}
