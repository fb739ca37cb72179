import type { SeededRandom } from './seeded-random.ts'
import type { SimulatedReplica } from './simulated-replica.ts'
import type { Timeline } from './timeline.ts'

/** How long a message is under way, at least; and at most, mostly and sometimes. */
const DELAY_MS = { least: 1, most: 8, sometimes: 300 }

/**
 * Delays each copy by itself, loses and repeats some, and keeps the order for each sender and receiver if it is one that
 * does.
 */
export class SimulatedBroker {
  /** The names of replicas that cannot reach it. */
  readonly cut = new Set<string>()
  /** What share of the messages to a replica is lost, by its name. */
  readonly loss = new Map<string, number>()
  /** Of whom replicas hear nothing: by their names, receiver first. */
  readonly deaf = new Set<string>()
  /** How many copies it carried. */
  carried = 0
  readonly #timeline: Timeline
  readonly #random: SeededRandom
  readonly #replicas: ReadonlyMap<string, SimulatedReplica>
  readonly #lastArrivals = new Map<string, number>()
  readonly #isOrdered: boolean

  constructor(
    timeline: Timeline,
    random: SeededRandom,
    replicas: ReadonlyMap<string, SimulatedReplica>,
    isOrdered: boolean,
  ) {
    this.#timeline = timeline
    this.#random = random
    this.#replicas = replicas
    this.#isOrdered = isOrdered
  }

  tell(from: SimulatedReplica, message: Uint8Array, to?: string): Promise<void> {
    const isReached = !this.cut.has(from.name)
    if (isReached) {
      for (const replica of this.#replicas.values()) {
        if (to === undefined || replica.id === to) this.#carry(from, replica, message)
      }
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#timeline.after(this.#random.between(0.5, 4), () =>
      from.give('call', () => {
        if (isReached) resolve()
        else reject(new Error('The broker is out of reach.'))
      }),
    )
    return promise
  }

  #carry(from: SimulatedReplica, to: SimulatedReplica, message: Uint8Array): void {
    if (this.deaf.has(`${to.name} ${from.name}`)) return
    if (this.cut.has(to.name) || this.#random.chance(this.loss.get(to.name) ?? 0)) return
    this.carried++
    const copies = this.#random.chance(0.02) ? 2 : 1
    for (let copy = 0; copy < copies; copy++) {
      this.#timeline.at(this.#arrival(`${from.id} ${to.id}`), () => {
        if (this.cut.has(to.name) || !to.isStarted) return
        to.give('message', () => to.store.receive(message))
      })
    }
  }

  #arrival(route: string): number {
    const most = this.#random.chance(0.1) ? DELAY_MS.sometimes : DELAY_MS.most
    const arrival = this.#timeline.now + this.#random.between(DELAY_MS.least, most)
    if (!this.#isOrdered) return arrival
    const ordered = Math.max(arrival, (this.#lastArrivals.get(route) ?? 0) + 0.001)
    this.#lastArrivals.set(route, ordered)
    return ordered
  }
}
