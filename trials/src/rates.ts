import type { IncomingMessage } from '@asbru/core'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openOptions, textOf } from './recorder.ts'
import type { Way } from './way.ts'

/** A way, and the broker's client alone doing the same. */
export interface RateTrial {
  readonly way: Way
  /** Calls `take` with all that is published, as it comes from the broker. */
  bare(take: (payload: Uint8Array) => void): Promise<BareClient>
  /** A multiple of 500. @default 100_000 */
  readonly messages?: number
}

/** A client of the broker that publishes and reads, confirmed and in batches as far as the driver does so. */
export interface BareClient {
  /** Resolves once the broker has them all. */
  publish(messages: readonly RateMessage[]): Promise<unknown>
  close(): Promise<unknown>
}

/** A message of 100 bytes to one of ten topics. */
export interface RateMessage {
  readonly topic: string
  readonly payload: Buffer
}

/** To which messages are published, in turn. */
export const rateTopics: readonly string[] = Array.from({ length: 10 }, (_, i) => `load-${i}`)

const BYTES = 100
const UNDER_WAY = 500
/** What else the machine does can only slow a round down: the best one counts, of so many at least and at most. */
const ROUNDS = { least: 3, most: 10 }
/** After so long no more than the least are made. */
const ENOUGH_MS = 20_000
/** A machine that does other things as well says little of a rate: the share counts only when that is asked for. */
const isShareHeld = process.env['ASBRU_TEST_RATES'] === '1'
const LEAST_SHARE = isShareHeld ? 0.7 : 0

const claim = isShareHeld
  ? `at ${LEAST_SHARE * 100} % of the bare rate`
  : 'and tells the rate beside the bare one'

/** Registers a test of how fast messages go through a driver, beside the broker's client alone. */
export function describeRates(trials: readonly RateTrial[]): void {
  describe.each(trials.map((trial) => ({ name: trial.way.name, trial })))('$name', ({ trial }) => {
    const { messages: count = 100_000 } = trial

    test(
      `carries ${count.toLocaleString('en')} messages of 100 bytes, in the order of each topic, ${claim}`,
      { timeout: 300_000 },
      async () => {
        const bare = await startBare(trial)
        const own = await startOwn(trial)
        const rates = { bare: 0, own: 0 }
        const begun = performance.now()
        const isOver = (): boolean => performance.now() - begun > ENOUGH_MS
        for (let round = 0; round < ROUNDS.least || (round < ROUNDS.most && !isOver()); round++) {
          rates.bare = Math.max(rates.bare, await rate(bare, count))
          rates.own = Math.max(rates.own, await rate(own, count))
        }
        const share = rates.own / rates.bare
        process.stdout.write(
          `${trial.way.name}: ${Math.round(rates.own)} messages/s through the driver, ` +
            `${Math.round(rates.bare)} bare (${Math.round(share * 100)} %)\n`,
        )
        expect(share).toBeGreaterThanOrEqual(LEAST_SHARE)
      },
    )
  })
}

/** One that publishes, and keeps in memory what it is sent. */
interface Carrier {
  readonly arrived: Arrived
  readonly publish: (messages: readonly RateMessage[]) => Promise<unknown>
}

/** What came, and a wait for so many. */
class Arrived {
  payloads: Uint8Array[] = []
  #count = Infinity
  #resolve: (() => void) | undefined

  take(payload: Uint8Array): void {
    if (this.payloads.push(payload) === this.#count) this.#resolve?.()
  }

  /** Forgets what came, and resolves once there are `count` again. */
  begin(count: number): Promise<void> {
    this.payloads = []
    this.#count = count
    return new Promise((resolve) => {
      this.#resolve = resolve
    })
  }
}

async function startBare(trial: RateTrial): Promise<Carrier> {
  const arrived = new Arrived()
  const client = await trial.bare((payload) => arrived.take(payload))
  onTestFinished(async () => void (await client.close()))
  return { arrived, publish: (messages) => client.publish(messages) }
}

async function startOwn({ way }: RateTrial): Promise<Carrier> {
  const arrived = new Arrived()
  const driver = await way.driver('broker')
  onTestFinished(() => driver.close())
  const receiver = {
    message: ({ payload }: IncomingMessage) => arrived.take(payload),
    status() {},
  }
  await driver.open(receiver, openOptions())
  for (const topic of rateTopics) await driver.subscribe(topic)
  return {
    arrived,
    publish: (messages) => Promise.all(messages.map((message) => driver.publish(message))),
  }
}

/** Messages per second from the first publish to the last arrival. */
async function rate({ arrived, publish }: Carrier, count: number): Promise<number> {
  const all = arrived.begin(count)
  const begun = performance.now()
  for (let first = 0; first < count; first += UNDER_WAY)
    await publish(Array.from({ length: UNDER_WAY }, (_, i) => messageOf(first + i)))
  await all
  const seconds = (performance.now() - begun) / 1_000
  expectEachOnceInOrder(arrived.payloads, count)
  return count / seconds
}

function expectEachOnceInOrder(payloads: readonly Uint8Array[], count: number): void {
  const numbers = payloads.map((payload) => Number(textOf({ payload })))
  for (let lane = 0; lane < rateTopics.length; lane++) {
    const expected = Array.from(
      { length: count / rateTopics.length },
      (_, i) => i * rateTopics.length + lane,
    )
    expect(numbers.filter((number) => number % rateTopics.length === lane)).toEqual(expected)
  }
}

function messageOf(number: number): RateMessage {
  return { topic: topicOf(number), payload: Buffer.from(String(number).padEnd(BYTES)) }
}

function topicOf(number: number): string {
  return rateTopics[number % rateTopics.length]!
}
