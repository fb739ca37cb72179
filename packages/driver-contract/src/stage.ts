import { randomUUID } from 'node:crypto'
import { type Driver, type OpenOptions, Streamer, type StreamerOptions } from '@asbru/core'
import type { DriverHarness } from './harness.ts'
import { Inbox } from './inbox.ts'
import { wantedOnly } from './wanted.ts'

const DEFAULT_PATIENCE_MS = 10_000
const DEFAULT_SETTLING_ROUNDS = 3
/** A start waits for some beats, so a case beats fast. */
const BEAT_MS = 50

/** An open driver and all that it handed over. */
export interface OpenDriver {
  readonly driver: Driver
  readonly inbox: Inbox
}

/** Where one case plays: topics and drivers of its own on the harness's broker. */
export class Stage {
  readonly harness: DriverHarness
  readonly #prefix = `contract-${randomUUID().slice(0, 8)}`
  readonly #ends: (() => Promise<void>)[] = []
  #fences = 0

  constructor(harness: DriverHarness) {
    this.harness = harness
  }

  /** A topic, or a pattern, that no other case has. */
  topic(name: string): string {
    return `${this.#prefix}.${name}`
  }

  inbox(): Inbox {
    return new Inbox(this.harness.patienceMs ?? DEFAULT_PATIENCE_MS)
  }

  /** What `open` of a driver takes. */
  get openOptions(): OpenOptions {
    return { replica: randomUUID(), namespace: this.#prefix }
  }

  /** A driver that is not open. Nothing of its logs arrives but what it is subscribed to. */
  async create(): Promise<Driver> {
    return wantedOnly(await this.#create())
  }

  /** A driver that is open and subscribed to `topics`. */
  async open(...topics: string[]): Promise<OpenDriver> {
    const driver = await this.create()
    const inbox = this.inbox()
    await driver.open(inbox, this.openOptions)
    for (const topic of topics) await driver.subscribe(topic)
    return { driver, inbox }
  }

  /** A driver that is open, of which all arrives that it hands over. */
  async openWhole(options: Pick<OpenOptions, 'backlogMs'> = {}): Promise<OpenDriver> {
    const driver = await this.#create()
    const inbox = this.inbox()
    await driver.open(inbox, { ...this.openOptions, ...options })
    return { driver, inbox }
  }

  /** A Streamer on a driver of its own. */
  async streamer(options: Omit<StreamerOptions, 'driver'> = {}): Promise<Streamer> {
    const driver = await this.#create()
    const streamer = new Streamer({ drainMs: 0, beatMs: BEAT_MS, ...options, driver })
    this.#ends.push(() => streamer.close())
    await streamer.start()
    return streamer
  }

  /** Waits until what is under way to an open driver has arrived, wanted or not. */
  async settle({ driver, inbox }: OpenDriver): Promise<void> {
    const fence = this.topic(`fence-${++this.#fences}`)
    const rounds = this.harness.settlingRounds ?? DEFAULT_SETTLING_ROUNDS
    await driver.subscribe(fence)
    for (let round = 1; round <= rounds; round++) {
      await driver.publish(textMessage(fence, 'fence'))
      await inbox.untilCount(fence, round)
    }
    await driver.unsubscribe(fence)
  }

  /** Closes everything, the last first. */
  async clear(): Promise<void> {
    for (const end of this.#ends.toReversed()) await end()
  }

  async #create(): Promise<Driver> {
    const created = await this.harness.create()
    this.#ends.push(async () => {
      await created.driver.close()
      await created.dispose()
    })
    return created.driver
  }
}

/** A message with text as its payload. */
export function textMessage(topic: string, text: string): { topic: string; payload: Uint8Array } {
  return { topic, payload: new TextEncoder().encode(text) }
}

/** `'0'`, `'1'` and so on. */
export function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, i) => String(i))
}
