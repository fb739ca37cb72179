import {
  type Driver,
  type IncomingMessage,
  matches,
  type OutgoingMessage,
  type Receiver,
} from '../../../src/index.ts'
import type { SeededRandom } from '../cluster/seeded-random.ts'
import type { Timeline } from '../cluster/timeline.ts'
import type { SimulatedProcess } from './simulated-process.ts'

/** How long a replica takes to subscribe again, at most. */
const RESTORE_MS = 320

/** What a broker without logs is like. */
export interface FlowOptions {
  /** One replica receives a message so much later than another, at most. */
  readonly skewMs: number
  /** Whether it keeps what comes while a replica is cut off. */
  readonly isQueued: boolean
  /** How many messages come twice, from 0 to 1. */
  readonly twice: number
}

/** A broker without logs: it keeps the order of each sender for each replica, and nothing else. */
export class FlowBroker {
  readonly options: FlowOptions
  readonly random: SeededRandom
  readonly drivers = new Set<FlowDriver>()
  readonly #timeline: Timeline
  readonly #lanes = new Map<string, { last: number; delay: number }>()

  constructor(timeline: Timeline, random: SeededRandom, options: FlowOptions) {
    this.#timeline = timeline
    this.random = random
    this.options = options
  }

  get now(): number {
    return this.#timeline.now
  }

  publish(sender: string, message: IncomingMessage): void {
    for (const driver of this.drivers) {
      if (!driver.wants(message.topic)) continue
      const copies = this.random.chance(this.options.twice) ? 2 : 1
      for (let copy = 0; copy < copies; copy++) this.#carry(sender, driver, message)
    }
  }

  #carry(sender: string, driver: FlowDriver, message: IncomingMessage): void {
    const key = `${sender} ${driver.name}`
    const { random, options } = this
    let lane = this.#lanes.get(key)
    if (lane === undefined || random.chance(0.1)) {
      lane = { last: lane?.last ?? 0, delay: random.between(0, options.skewMs) }
      this.#lanes.set(key, lane)
    }
    lane.last = Math.max(lane.last, this.now + lane.delay)
    const { link } = driver
    this.#timeline.at(lane.last, () => driver.arrive(message, link))
  }
}

/** A replica's connection to it. */
export class FlowDriver implements Driver {
  readonly name: string
  readonly capabilities: Driver['capabilities'] = {
    patterns: true,
    headers: true,
    positions: false,
    ordering: 'publisher',
    shared: true,
  }
  /** One more for each time that it was lost. */
  link = 0
  isConnected = true
  /** Nothing arrives until then, and nobody notices. */
  deafUntil = 0
  readonly #broker: FlowBroker
  readonly #process: SimulatedProcess
  readonly #asked = new Set<string>()
  readonly #active = new Set<string>()
  #receiver: Receiver | undefined
  /** What the broker keeps for it. */
  #queued: IncomingMessage[] = []
  /** What came while the subscriptions are made again. */
  #held: IncomingMessage[] | undefined

  constructor(broker: FlowBroker, process: SimulatedProcess, name: string) {
    this.#broker = broker
    this.#process = process
    this.name = name
    broker.drivers.add(this)
  }

  async open(receiver: Receiver): Promise<void> {
    await this.#process.pause(this.#broker.random.between(1, 20))
    this.#receiver = receiver
    receiver.status({ type: 'connected' })
  }

  async subscribe(topic: string): Promise<void> {
    this.#asked.add(topic)
    const { random, options } = this.#broker
    do await this.#process.pause(random.between(1, 100))
    while (!this.#isWhole)
    if (this.#asked.has(topic)) this.#active.add(topic)
    do await this.#process.pause(options.skewMs + random.between(0, 100))
    while (!this.#isWhole)
  }

  async unsubscribe(topic: string): Promise<void> {
    this.#asked.delete(topic)
    this.#active.delete(topic)
  }

  async publish(message: OutgoingMessage): Promise<void> {
    if (!this.isConnected) throw new Error('The broker is out of reach.')
    this.#broker.publish(this.name, message)
    await this.#process.pause(this.#broker.random.between(1, 8))
  }

  async close(): Promise<void> {
    this.#broker.drivers.delete(this)
  }

  wants(topic: string): boolean {
    return [...this.#active].some((each) => matches(each, topic))
  }

  arrive(message: IncomingMessage, link: number): void {
    const { isQueued } = this.#broker.options
    if (this.#broker.now < this.deafUntil || (link !== this.link && !isQueued)) return
    if (isQueued && !this.isConnected) this.#queued.push(message)
    else this.#process.give(() => this.#take(message))
  }

  /** Loses the connection for so long. */
  disconnect(ms: number): void {
    if (!this.isConnected) return
    this.isConnected = false
    this.link++
    if (!this.#broker.options.isQueued) this.#active.clear()
    this.#process.give(() => this.#receiver?.status({ type: 'reconnecting' }))
    this.#process.after(ms, () => this.#reconnect())
  }

  get #isWhole(): boolean {
    return this.isConnected && this.#held === undefined
  }

  #reconnect(): void {
    const { random, options } = this.#broker
    this.isConnected = true
    if (options.isQueued) {
      const queued = this.#queued
      this.#queued = []
      if (!random.chance(0.3)) return this.#restored(queued, false)
      return this.#restored([], true)
    }
    const { link } = this
    this.#held = []
    for (const topic of this.#asked) {
      this.#process.after(random.between(0, RESTORE_MS - 20), () => {
        if (link === this.link && this.#asked.has(topic)) this.#active.add(topic)
      })
    }
    this.#process.after(RESTORE_MS, () => {
      if (link === this.link) this.#restored(this.#held ?? [], true)
    })
  }

  #restored(messages: readonly IncomingMessage[], isGap: boolean): void {
    this.#held = undefined
    this.#receiver?.status({ type: 'connected' })
    if (isGap) this.#receiver?.status({ type: 'gap', reason: 'broker-reconnected' })
    for (const message of messages) this.#take(message)
  }

  #take(message: IncomingMessage): void {
    if (this.#held !== undefined) this.#held.push(message)
    else if ([...this.#asked].some((each) => matches(each, message.topic)))
      this.#receiver?.message(message)
  }
}
