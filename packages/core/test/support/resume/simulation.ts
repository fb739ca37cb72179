import { Streamer, type StreamerOptions } from '../../../src/index.ts'
import { SeededRandom } from '../cluster/seeded-random.ts'
import { Timeline } from '../cluster/timeline.ts'
import { accountOf } from './account.ts'
import { Browser, type Got, type Published } from './browser.ts'
import type { Page } from './page.ts'
import {
  CLIENTS,
  END_MS,
  type Fault,
  isLogKind,
  LAST_MESSAGES_MS,
  type Plan,
  QUIET_CLIENT,
  QUIET_FROM_MS,
  REPLICAS,
  TOPICS,
} from './plan.ts'
import { FlowBroker, FlowDriver } from './simulated-flow.ts'
import { LogBroker, LogDriver } from './simulated-log.ts'
import { SimulatedProcess } from './simulated-process.ts'

const OVERLAP_MS = 2_000
const SKEW_MS = OVERLAP_MS / 2
/** Replicas that are ready by then began together. */
const FIRST_READY_MS = 8_000
/** What replicas tell each other beside the logs takes so long, at most. */
const CONTROL_MS = 150

/** What is simulated: all of a Streamer but the broker, the network and time. */
export type MakeStreamer = (options: StreamerOptions) => Streamer

/** What came of a plan. */
export interface Outcome {
  readonly failures: string[]
  readonly messages: number
  readonly failovers: number
  readonly repeated: number
  readonly gaps: number
  /** Gaps where nothing was missed. */
  readonly needless: readonly Got[]
}

/** A replica from its start to its end. */
export interface SimulatedReplica {
  readonly name: string
  readonly id: string
  readonly process: SimulatedProcess
  readonly streamer: Streamer
  readonly driver: FlowDriver
  /** It loses a message of its logs. */
  readonly loseOne: () => void
  /** The responses that are open there. */
  readonly pages: Set<Page>
  isReady: boolean
  /** Whether it knows what others did when it began. */
  isKnowing: boolean
  /** Whether it never stalled, nor lost the broker. */
  isCalm: boolean
}

/** What browsers live in. */
export interface World {
  readonly timeline: Timeline
  readonly random: SeededRandom
  readonly breaks: number
  readonly published: readonly Published[]
  say(line: string): void
  /** One that takes requests. */
  anyReplica(): SimulatedReplica | undefined
}

/** Runs a plan to its end. */
export async function simulate(
  plan: Plan,
  makeStreamer: MakeStreamer = (options) => new Streamer(options),
  say: (line: string) => void = () => {},
): Promise<Outcome> {
  return new Simulation(plan, makeStreamer, say).run()
}

class Simulation implements World {
  readonly timeline: Timeline = new Timeline()
  readonly random: SeededRandom
  readonly published: Published[] = []
  breaks: number
  readonly #plan: Plan
  readonly #makeStreamer: MakeStreamer
  readonly #say: (line: string) => void
  readonly #logs: LogBroker | undefined
  readonly #flow: FlowBroker
  readonly #replicas = new Map<string, SimulatedReplica>()
  readonly #browsers: Browser[]
  #ids = 0

  constructor(plan: Plan, makeStreamer: MakeStreamer, say: (line: string) => void) {
    const { seed, kind, breaks } = plan
    this.#plan = plan
    this.#makeStreamer = makeStreamer
    this.#say = say
    this.breaks = breaks
    this.random = new SeededRandom(-1 - seed)
    const hasLogs = isLogKind(kind)
    const names = kind === 'L' ? ['l0'] : ['l0', 'l1', 'l2']
    if (hasLogs) this.#logs = new LogBroker(names, plan.hasEpochs, plan.isHuge)
    this.#flow = new FlowBroker(this.timeline, this.random, {
      skewMs: hasLogs ? CONTROL_MS : SKEW_MS,
      isQueued: kind === 'Q',
      twice: hasLogs || plan.isCalm ? 0 : 0.02,
    })
    this.#browsers = CLIENTS.map((name) => new Browser(this, name, name === QUIET_CLIENT))
  }

  async run(): Promise<Outcome> {
    const { timeline, random } = this
    for (const lane of this.#lanes) this.#publish('t.9', lane)
    for (const name of REPLICAS) this.#start(name)
    for (const browser of this.#browsers)
      timeline.after(6_000 + random.between(0, 6_000), () => browser.make())
    for (let publisher = 0; publisher < 3; publisher++)
      timeline.after(100, () => this.#publishOn(publisher))
    for (const fault of this.#plan.faults) timeline.at(fault.at, () => this.#fault(fault))
    timeline.at(QUIET_FROM_MS, () => this.#calm())
    timeline.at(LAST_MESSAGES_MS, () => {
      for (const topic of new Set([...TOPICS, 't.9']))
        for (const lane of this.#lanes) this.#publish(topic, lane)
    })
    await timeline.runUntil(END_MS)
    return this.#outcome()
  }

  say(line: string): void {
    this.#say(`${Math.round(this.timeline.now).toString().padStart(6)} ${line}`)
  }

  anyReplica(): SimulatedReplica | undefined {
    const replica = this.random.choose([...this.#replicas.values()])
    const { isUp, isStalled } = replica.process
    return isUp && !isStalled && replica.isReady ? replica : undefined
  }

  get #lanes(): string[] {
    return this.#logs === undefined ? ['P0'] : [...this.#logs.logs.keys()]
  }

  #start(name: string): void {
    const { timeline, random } = this
    const process = new SimulatedProcess(timeline)
    const flow = new FlowDriver(this.#flow, process, name)
    const logs = this.#logs
    const options = { process, random, now: () => timeline.now, control: flow }
    const driver = logs === undefined ? flow : new LogDriver({ ...options, broker: logs })
    const streamer = this.#makeStreamer({
      driver,
      name,
      clock: process.clock,
      random: random.next,
      newId: () => `i${++this.#ids}-${Math.floor(random.next() * 1e9).toString(36)}`,
      keepaliveMs: 3_000,
      clientTtlMs: 80_000,
      windowBytes: this.#plan.windowBytes,
      windowMs: this.#plan.windowMs,
      maxQueueBytes: 30_000,
      lingerMs: 2_000,
      overlapMs: OVERLAP_MS,
    })
    const replica = {
      name,
      id: streamer.replica,
      process,
      streamer,
      driver: flow,
      loseOne: () => 'loseOne' in driver && driver.loseOne(),
      pages: new Set<Page>(),
      isReady: false,
      isKnowing: false,
      isCalm: true,
    }
    this.#replicas.set(name, replica)
    this.say(`${replica.id} starts`)
    const begin = async (): Promise<void> => {
      try {
        await streamer.start()
        replica.isReady = true
        replica.isKnowing = timeline.now < FIRST_READY_MS || this.#isKept(replica)
      } catch (error) {
        this.say(`${name} did not start: ${String(error)}`)
        process.after(500, () => void begin())
      }
    }
    void begin()
  }

  #publishOn(publisher: number): void {
    const { timeline, random } = this
    if (timeline.now > LAST_MESSAGES_MS - 1_000) return
    const lane = this.#logs === undefined ? `P${publisher}` : random.choose(this.#lanes)
    this.#publish(random.chance(0.03) ? 't.9' : random.choose(TOPICS), lane)
    timeline.after(-350 * Math.log(1 - random.next()), () => this.#publishOn(publisher))
  }

  #publish(topic: string, lane: string): void {
    const uid = this.published.length
    const at = this.timeline.now
    this.published.push({ uid, at, topic, lane })
    const payload = new TextEncoder().encode(`${uid} ${'x'.repeat(this.random.below(800))}`)
    const log = this.#logs?.logs.get(lane)
    if (log === undefined) this.#flow.publish(lane, { topic, payload })
    else log.messages.push({ at, message: { topic, payload } })
    this.say(`message ${uid} to ${topic} in ${lane} ${log?.messages.length ?? ''}`)
  }

  #fault({ name, seed }: Fault): void {
    const random = new SeededRandom(seed)
    const replica = random.choose([...this.#replicas.values()])
    const browser = random.choose(this.#browsers)
    this.say(`FAULT ${name} ${replica.name} ${browser.name}`)
    switch (name) {
      case 'kill':
        return this.#kill(replica, random.between(300, 9_000))
      case 'stall':
        replica.isCalm = false
        return replica.process.stall(random.choose([1_500, 5_000, 9_000]))
      case 'disconnect':
        replica.isCalm = false
        return replica.driver.disconnect(random.between(200, 7_000))
      case 'deafen':
        replica.isCalm = false
        replica.driver.deafUntil = this.timeline.now + random.between(1_300, 3_500) + SKEW_MS
        return
      case 'cut':
        return browser.cut()
      case 'move':
        for (const each of this.#browsers) each.cut()
        return
      case 'slow':
        return browser.slowDown()
      case 'subscribe':
        return browser.change()
      case 'forge':
        browser.forge()
        return browser.cut()
      case 'lose':
        return replica.loseOne()
      case 'trim':
        for (const log of this.#logs!.logs.values())
          this.#logs!.trim(log, random.choose([0, 1, 5, 30]))
        return
      case 'recreate':
        return this.#recreate(random)
    }
    return name satisfies never
  }

  #recreate(random: SeededRandom): void {
    const lane = random.choose(this.#lanes)
    this.#logs!.make(lane)
    for (let left = random.choose([0, 1, 40, 200]); left > 0; left--)
      this.#publish(this.random.choose(TOPICS), lane)
  }

  #kill(replica: SimulatedReplica, forMs: number): void {
    if (!replica.process.isUp || !this.#isKept(replica)) return
    replica.process.kill()
    void replica.driver.close()
    for (const page of replica.pages) page.destroy()
    this.timeline.after(forMs, () => this.#start(replica.name))
  }

  /** Whether one beside it knows the clients, and would tell of them. */
  #isKept(replica: SimulatedReplica): boolean {
    return [...this.#replicas.values()].some(
      (other) =>
        other !== replica &&
        other.process.isUp &&
        !other.process.isStalled &&
        other.isKnowing &&
        other.isCalm,
    )
  }

  #calm(): void {
    this.breaks = 0
    for (const browser of this.#browsers) browser.speedUp()
  }

  #outcome(): Outcome {
    const failures: string[] = []
    const needless: Got[] = []
    let [failovers, repeated, gaps] = [0, 0, 0]
    for (const browser of this.#browsers) {
      const account = accountOf(browser, this.published, this.#plan)
      if (!browser.isConnected) failures.push(`${browser.name} is not connected at the end`)
      failures.push(
        ...browser.failures.map((text) => `${browser.name}: ${text}`),
        ...account.failures,
      )
      needless.push(...account.needless)
      for (const { at, gap } of isGapless(this.#plan) ? account.needless : []) {
        failures.push(`${browser.name}: ${gap!.reason} at ${at}, though nothing was missed`)
      }
      for (const { at, gap } of isGapless(this.#plan) ? browser.got : []) {
        if (gap === undefined || gap.reason === 'window-exceeded') continue
        failures.push(`${browser.name}: ${gap.reason} at ${at}, though nothing happened`)
      }
      failovers += browser.failovers
      repeated += account.repeated
      gaps += account.gaps
    }
    const messages = this.published.length
    return { failures, messages, failovers, repeated, gaps, needless }
  }
}

/** Whether a client that only comes and goes is never told of a gap where it missed nothing. */
function isGapless({ kind, isCalm, windowBytes, windowMs }: Plan): boolean {
  // Without logs another replica begins earlier than it must, perhaps with something that it dropped.
  return isCalm && (isLogKind(kind) || (windowBytes > 1_000_000 && windowMs > END_MS))
}
