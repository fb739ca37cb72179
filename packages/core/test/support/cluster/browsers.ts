import { StreamerError } from '../../../src/index.ts'
import type { Tab } from './history.ts'
import { TTL_MS } from './schedule.ts'
import type { SimulatedReplica } from './simulated-replica.ts'
import type { Simulation } from './simulation.ts'

/** Browsers that connect to any replica, and come back by themselves. */
export class Browsers {
  connected = 0
  /** How many were told that their client does not exist. */
  unknown = 0
  readonly #simulation: Simulation
  #made = 0

  constructor(simulation: Simulation) {
    this.#simulation = simulation
  }

  /** Opens a tab that stays for a while. */
  open(client: string, name: string, leavesAfterMs: number): void {
    const tab = { client, leavesAfterMs, at: undefined, isOpen: false, openedAt: 0, connection: '' }
    this.dial(tab, name)
  }

  dial(tab: Tab, name?: string): void {
    const { timeline, random, replicas, schedule, history } = this.#simulation
    if (timeline.now > schedule.quietFrom && tab.leavesAfterMs < Infinity) return
    const replica = replicas.get(name ?? random.choose([...replicas.keys()]))!
    if (!replica.isUp) return timeline.after(400, () => this.dial(tab))
    if (!history.tabs.includes(tab)) history.tabs.push(tab)
    tab.at = replica
    tab.isOpen = false
    tab.connection = String(++this.#made)
    const { connection } = tab
    replica.give('call', () => void this.#connect(tab, replica, connection))
  }

  /** The connections of a killed replica break. */
  died(replica: SimulatedReplica): void {
    for (const tab of this.#simulation.history.tabs) {
      if (tab.at !== replica) continue
      if (tab.isOpen) this.close(tab, 'broken')
      else this.#comeBack(tab, 400)
    }
  }

  /** Ends an open connection. */
  close(tab: Tab, why: 'told' | 'leaves' | 'broken'): void {
    const simulation = this.#simulation
    const { timeline, random } = simulation
    const replica = tab.at!
    const { client, connection } = tab
    simulation.log('close', client, 'at', replica.id, why)
    tab.isOpen = false
    tab.at = undefined
    timeline.after(0, () => {
      replica.give('call', () => void replica.store.detach(client, connection, true))
    })
    this.#noteEnd(tab, replica, why === 'broken')
    if (why === 'told') this.#checkEnded(tab, replica)
    if (why !== 'leaves') this.#comeBack(tab, random.between(100, 2_000))
  }

  /** No connection of a client that exists is ended, but by a removal that its replica was late to hear of. */
  #checkEnded({ client, openedAt }: Tab, replica: SimulatedReplica): void {
    const { history, timeline, fail } = this.#simulation
    if (!history.isValid(client, timeline.now)) return
    const isRemovedSince = history
      .changesOf(client)
      .some(({ kind, end }) => kind === 'remove' && end >= openedAt)
    const isLate = history.wasRemoved(client) && !this.#simulation.isWell(replica)
    if (!isRemovedSince && !isLate) fail('d', `${client} is ended at ${replica.id}, and is valid`)
  }

  #noteEnd({ client, openedAt }: Tab, { name, isUp }: SimulatedReplica, isBroken: boolean): void {
    const { timeline, history, illSince } = this.#simulation
    const { lastSeen, lastHeard } = history
    // A stall or a cut that ends in a stop counts from its begin.
    const heard = Math.min(timeline.now, illSince.get(name) ?? Infinity)
    if (openedAt < heard) lastHeard.set(client, Math.max(lastHeard.get(client) ?? 0, heard))
    lastSeen.set(
      client,
      isUp && !isBroken ? timeline.now : Math.max(lastSeen.get(client) ?? 0, heard),
    )
  }

  async #connect(tab: Tab, replica: SimulatedReplica, connection: string): Promise<void> {
    const { store } = replica
    const isOver = () => tab.at !== replica || tab.connection !== connection
    try {
      if (!replica.isOpen) return this.#notNow(tab, replica, 'still starting')
      const found = await replica.whileRunning(store.find(tab.client))
      if (isOver()) return
      if (found === undefined) return this.#unknown(tab, replica)
      const since = this.#simulation.timeline.now
      const info = { id: connection, replica: replica.id, since }
      const record = await replica.whileRunning(store.attach(tab.client, info))
      if (isOver()) return
      if (record === undefined) this.#notNow(tab, replica, 'gone meanwhile')
      else this.#opened(tab, replica)
    } catch (error) {
      if (!(error instanceof StreamerError)) {
        this.#simulation.fail('error', `connect ${tab.client}: ${(error as Error).stack}`)
      }
      if (this.#simulation.areAllWell(TTL_MS)) {
        this.#simulation.fail('refused', `connect ${tab.client}: not ready, though all are well`)
      }
      if (!isOver()) this.#notNow(tab, replica, (error as StreamerError).code)
    }
  }

  #notNow(tab: Tab, replica: SimulatedReplica, why: string): void {
    const { timeline, random, schedule } = this.#simulation
    this.#simulation.log('connect', tab.client, 'at', replica.id, why)
    tab.at = undefined
    if (timeline.now > schedule.quietFrom + TTL_MS / 2) return
    this.#comeBack(tab, random.between(1_000, 2_000))
  }

  #opened(tab: Tab, replica: SimulatedReplica): void {
    const { connection } = tab
    this.connected++
    this.#simulation.log('connect', tab.client, 'at', replica.id)
    tab.isOpen = true
    tab.openedAt = this.#simulation.timeline.now
    if (tab.leavesAfterMs === Infinity) return
    this.#simulation.timeline.after(tab.leavesAfterMs, () => {
      if (!tab.isOpen || tab.connection !== connection) return
      tab.leavesAfterMs = Infinity
      this.close(tab, 'leaves')
    })
  }

  /** A browser that is told 404 does not come back: so nobody may be told so whose client is valid. */
  #unknown(tab: Tab, replica: SimulatedReplica): void {
    const { client } = tab
    const { history, timeline, replicas, illSince } = this.#simulation
    this.unknown++
    this.#simulation.log('connect', client, 'at', replica.id, 'does not exist')
    tab.at = undefined
    if (!history.isValid(client, timeline.now)) return
    const knowing = [...replicas.values()].filter(({ isUp, view }) => isUp && view.has(client))
    const isKnown = !knowing.every(
      ({ name }) => timeline.now - (illSince.get(name) ?? Infinity) > TTL_MS * 0.9,
    )
    if (isKnown) this.#simulation.fail('404', `${client} at ${replica.id}: valid`)
  }

  #comeBack(tab: Tab, ms: number): void {
    tab.at = undefined
    this.#simulation.timeline.after(ms, () => this.dial(tab))
  }
}
