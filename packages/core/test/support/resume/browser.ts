import { sealed, unsealed } from '../../../src/events/cursor.ts'
import type { EventStream } from '../../../src/http/event-stream.ts'
import { matches } from '../../../src/index.ts'
import type { NodeRequest } from '../../../src/http/node-sinks.ts'
import { type Block, Page } from './page.ts'
import { SUBSCRIPTIONS } from './plan.ts'
import type { SimulatedReplica, World } from './simulation.ts'

/** A message on its way through the broker. */
export interface Published {
  readonly uid: number
  readonly at: number
  readonly topic: string
  /** Its log, or its publisher. */
  readonly lane: string
}

/** What a browser got: a message, or word that some may be missing. */
export interface Got {
  readonly at: number
  readonly message?: Published
  readonly gap?: { readonly reason: string; readonly topics?: readonly string[] }
  /** Whether it came first, behind the first message of a connection: a gap then stands for all of before. */
  readonly isOpening: boolean
}

/** For how long a client was to get what is published to a subscription. */
interface Span {
  readonly subscription: string
  readonly from: number
  to: number
}

const CALL_TIMEOUT_MS = 8_000

/** A client with one browser, which keeps the last id and connects to any replica. */
export class Browser {
  readonly name: string
  readonly got: Got[] = []
  readonly failures: string[] = []
  /** What it is owed. */
  readonly spans: Span[] = []
  /** What it may get. */
  readonly #allowed: Span[] = []
  /** What is owed no longer. */
  readonly waived = new Set<number>()
  readonly #subscriptions = new Set<string>()
  /** Those of which a change is not answered. */
  readonly #unsure = new Set<string>()
  readonly #world: World
  readonly #isQuiet: boolean
  #id: string | undefined
  #cursor: string | undefined
  #page: Page | undefined
  /** Numbers the attempts to connect, since one may come to nothing. */
  #attempt = 0
  #isConnecting = false
  #isForging = false
  #wasConnected = false
  #lastReplica: string | undefined
  failovers = 0

  constructor(world: World, name: string, isQuiet: boolean) {
    this.#world = world
    this.#isQuiet = isQuiet
    this.name = name
  }

  /** Makes the client on some replica, and connects. */
  make(): void {
    const { random, timeline } = this.#world
    const replica = this.#world.anyReplica()
    if (replica === undefined) return timeline.after(100, () => this.make())
    const topics = this.#isQuiet
      ? ['t.9']
      : [random.choose(SUBSCRIPTIONS), random.choose(SUBSCRIPTIONS)]
    const from = timeline.now
    this.#call(
      replica,
      () => replica.streamer.newClient({ topics }),
      ({ id }) => {
        this.#id = id
        for (const subscription of new Set(topics)) {
          this.#subscriptions.add(subscription)
          this.spans.push({ subscription, from: timeline.now, to: Infinity })
          this.#allowed.push({ subscription, from, to: Infinity })
        }
        this.#world.say(`${this.name} is made on ${replica.name} with ${topics.join(', ')}`)
        timeline.after(random.between(5, 500), () => this.#connect())
      },
      () => timeline.after(100, () => this.make()),
    )
  }

  /** Subscribes to something, or unsubscribes, on some replica. */
  change(): void {
    const { random, timeline } = this.#world
    const replica = this.#world.anyReplica()
    const id = this.#id
    if (replica === undefined || id === undefined) return
    const subscription = random.choose(SUBSCRIPTIONS)
    // A change that was not answered may take effect whenever it likes.
    if (this.#unsure.has(subscription)) return
    this.#unsure.add(subscription)
    const failed = (): void => this.#ends(subscription)
    if (this.#subscriptions.has(subscription)) {
      this.#subscriptions.delete(subscription)
      this.#ends(subscription)
      this.#world.say(`${this.name} unsubscribes from ${subscription} on ${replica.name}`)
      const answered = (): void => {
        this.#unsure.delete(subscription)
        for (const each of this.#allowed)
          if (each.subscription === subscription) each.to = Math.min(each.to, timeline.now)
      }
      this.#call(replica, () => replica.streamer.unsubscribe(id, subscription), answered, failed)
    } else {
      this.#allowed.push({ subscription, from: timeline.now, to: Infinity })
      this.#subscriptions.add(subscription)
      this.#world.say(`${this.name} subscribes to ${subscription} on ${replica.name}`)
      const answered = (): void => {
        this.#unsure.delete(subscription)
        this.#world.say(`${this.name} has ${subscription}`)
        this.spans.push({ subscription, from: timeline.now, to: Infinity })
      }
      this.#call(replica, () => replica.streamer.subscribe(id, subscription), answered, failed)
    }
  }

  /** The network breaks its connection. */
  cut(): void {
    this.#page?.destroy()
  }

  slowDown(): void {
    if (this.#page !== undefined) this.#page.paceMs = this.#world.random.between(300, 1_200)
  }

  speedUp(): void {
    if (this.#page !== undefined) this.#page.paceMs = 5
  }

  /** The cursor that it sends next is none that a replica made. */
  forge(): void {
    this.#isForging = true
  }

  get isConnected(): boolean {
    return this.#page !== undefined
  }

  #connect(): void {
    const { timeline, random } = this.#world
    const replica = this.#world.anyReplica()
    if (this.#page !== undefined || this.#isConnecting) return
    if (replica === undefined) return this.#connectLater(100, 400)
    const attempt = ++this.#attempt
    this.#isConnecting = true
    const isForged = this.#isForging && this.#cursor !== undefined
    if (isForged) {
      this.#isForging = false
      this.#cursor = this.#forged(this.#cursor!)
    }
    const sent = this.#cursor
    this.#world.say(
      `${this.name} connects to ${replica.name} with ${sent}${isForged ? ' (forged)' : ''}`,
    )
    const later = (): void => {
      if (attempt !== this.#attempt) return
      this.#isConnecting = false
      this.#connectLater(100, 400)
    }
    const headers = { get: (name: string) => (name === 'last-event-id' && sent) || null }
    const url = `/events?id=${this.#id}`
    this.#call(
      replica,
      () => replica.streamer.accept({ method: 'GET', url, headers }),
      (answer) => {
        if (attempt !== this.#attempt) return
        if (answer instanceof Response) {
          if (answer.status !== 200) this.failures.push(`${replica.name} answered ${answer.status}`)
          return later()
        }
        this.#isConnecting = false
        if (replica.id !== this.#lastReplica && this.#lastReplica !== undefined) this.failovers++
        this.#lastReplica = replica.id
        this.#read(replica, answer, sent, isForged)
      },
      later,
    )
    timeline.after(CALL_TIMEOUT_MS + random.between(0, 100), later)
  }

  #read(
    replica: SimulatedReplica,
    stream: EventStream,
    sent: string | undefined,
    isForged: boolean,
  ) {
    const { timeline, random } = this.#world
    // One who was connected and has no cursor is a page that was loaded anew: it begins with what comes.
    if (sent === undefined && this.#wasConnected) this.#waive(() => true)
    this.#wasConnected = true
    let blocks = 0
    let isGapDue = isForged
    const page = new Page({
      timeline,
      process: replica.process,
      paceMs: random.choose([2, 20]),
      onBlock: (block) => {
        const breaks = this.#world.breaks * (blocks === 0 ? 6 : 1)
        if (random.chance(breaks)) return page.destroy()
        if (blocks === 0 && sent !== undefined && block.id !== sent)
          this.failures.push(`the first message repeats ${block.id}, not ${sent}`)
        const got = this.#take(replica, block, blocks++ === 1)
        if (got !== undefined && isGapDue) {
          isGapDue = false
          if (got.gap === undefined) this.failures.push(`no gap tells of the forged cursor ${sent}`)
        }
        if (random.chance(breaks)) page.destroy()
      },
      onEnd: () => {
        this.#page = undefined
        replica.pages.delete(page)
        const pause = random.choose([50, 300, 2_500, 8_000])
        this.#connectLater(pause, pause * 1.1)
      },
    })
    this.#page = page
    replica.pages.add(page)
    stream.toNode({ method: 'GET', httpVersion: '2.0', socket: {} } as NodeRequest, page.response)
  }

  #take(
    replica: SimulatedReplica,
    { at, id, event, data }: Block,
    isOpening: boolean,
  ): Got | undefined {
    if (id !== undefined) this.#cursor = id
    this.#world.say(
      `${this.name} gets ${event ?? ''} ${data?.slice(0, 60) ?? 'keepalive'} ${id ?? ''}`,
    )
    if (data === undefined) return undefined
    const { now } = this.#world.timeline
    if (event === undefined) {
      const { gap } = JSON.parse(data) as { gap?: Got['gap'] }
      if (gap === undefined) return undefined
      this.got.push({ at: now, gap, isOpening })
    } else {
      const message = this.#world.published[Number.parseInt(data, 10)]!
      this.got.push({ at: now, message, isOpening })
      const isAllowed = this.#allowed.some(
        ({ subscription, from, to }) =>
          subscription === event && matches(event, message.topic) && from <= at && at <= to,
      )
      if (!isAllowed && replica.isCalm)
        this.failures.push(`${event} with message ${message.uid} was not subscribed to at ${at}`)
    }
    return this.got.at(-1)
  }

  #connectLater(least: number, most: number): void {
    const { timeline, random } = this.#world
    timeline.after(random.between(least, most), () => this.#connect())
  }

  #ends(subscription: string): void {
    const { timeline } = this.#world
    for (const span of this.spans)
      if (span.subscription === subscription) span.to = Math.min(span.to, timeline.now)
    this.#waive(({ topic, at }) => {
      const isOther = this.spans.some(
        (span) => span.to > timeline.now && span.from <= at && matches(span.subscription, topic),
      )
      return matches(subscription, topic) && !isOther
    })
  }

  /** What it has not had yet is owed no longer. */
  #waive(isConcerned: (message: Published) => boolean): void {
    const had = new Set(this.got.map(({ message }) => message?.uid))
    for (const message of this.#world.published)
      if (!had.has(message.uid) && isConcerned(message)) this.waived.add(message.uid)
  }

  /** Calls a replica, which may never answer. */
  #call<Answer>(
    { process }: SimulatedReplica,
    ask: () => Promise<Answer>,
    onAnswer: (answer: Answer) => void,
    onFailure: () => void = () => {},
  ): void {
    let isOver = false
    const once =
      <Value>(run: (value: Value) => void) =>
      (value: Value) => {
        if (isOver) return
        isOver = true
        run(value)
      }
    const failed = once<unknown>(() => onFailure())
    process.give(() => void ask().then(once(onAnswer), failed))
    this.#world.timeline.after(CALL_TIMEOUT_MS, () => failed(undefined))
  }

  /** Cut, foreign or nonsense. */
  #forged(cursor: string): string {
    const { random } = this.#world
    const texts = [
      cursor.slice(0, 1 + random.below(cursor.length - 1)),
      cursor.slice(0, -1),
      sealed('1.nobody.1.1'),
      sealed('2.'),
      sealed('2.AAAABBB1'),
      sealed(`3.${cursor}`.slice(0, 100)),
      `${cursor.slice(0, 3)}x${cursor.slice(3)}`,
      'nonsense',
    ]
    const text = random.choose(texts)
    // One in thousands has the right seal by chance.
    return text === cursor || (unsealed(text) !== undefined && !texts.slice(2, 6).includes(text))
      ? 'nonsense'
      : text
  }
}
