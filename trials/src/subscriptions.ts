import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { memoryInUse } from '../../packages/core/test/support/memory-in-use.ts'
import { bytes, openedDriver, until } from './recorder.ts'
import { randomFrom } from './random.ts'
import { publisherOf } from './steady-stream.ts'
import type { Way } from './way.ts'

/** What subscriptions leave on a broker. */
export interface SubscriptionTrial {
  readonly way: Way
  /** What there is on the broker that a subscription may leave behind, of these topics among others. */
  remains(topics: readonly string[]): Promise<unknown>
  /** How many of these topics the broker knows of. @default all is sorted out by the driver */
  readonly held?: (topics: readonly string[]) => Promise<number>
  /** How many messages at least arrive while subscriptions change. @default 1_000 */
  readonly messages?: number
}

const TOPIC = 'pets.dogs'
/** All of them match it. */
const OVERLAPPING = ['pets.*', 'pets.**', '*.dogs', '**', 'pets.dogs.**', '*.**', TOPIC]
const CHANGES = 1_000
const SECOND_PUBLISHER = 1_000_000
/** How far the reader may be behind: some brokers deliver more slowly than they take. */
const UNDER_WAY = 200
const MEBIBYTE = 1024 * 1024

/** Registers tests of subscriptions that come and go in great numbers. */
export function describeSubscriptions(trials: readonly SubscriptionTrial[]): void {
  describe.each(trials.map((trial) => ({ name: trial.way.name, trial })))('$name', ({ trial }) => {
    const { way, messages: enough = 1_000, held = async (all) => all.length } = trial

    test(
      'delivers each message once while overlapping subscriptions come and go at random',
      { timeout: 120_000 },
      async () => {
        const random = randomFrom(7)
        const reader = await openedDriver(await way.driver('broker'), TOPIC)
        const { driver } = reader
        const subscribed = new Set([TOPIC])
        const over = new AbortController()
        let published = 0
        const keepPace = async (): Promise<void> => {
          published++
          while (published - reader.messages.length > UNDER_WAY && !over.signal.aborted)
            await wait(5)
        }
        const publishing = Promise.all([
          publishUntil(over.signal, await publisherOf(way), 0, keepPace),
          publishUntil(
            over.signal,
            (topic, text) => driver.publish({ topic, payload: bytes(text) }),
            SECOND_PUBLISHER,
            keepPace,
          ),
        ])
        for (let change = 0; change < CHANGES || reader.messages.length < enough; change++) {
          const topic = OVERLAPPING[Math.floor(random() * OVERLAPPING.length)]!
          if (!subscribed.has(topic)) {
            await driver.subscribe(topic)
            subscribed.add(topic)
          } else if (subscribed.size > 1) {
            subscribed.delete(topic)
            await driver.unsubscribe(topic)
          }
          await turn()
        }
        over.abort()
        const [one, other] = await publishing
        await until(() => reader.messages.length >= one.length + other.length)
        await driver.publish({ topic: TOPIC, payload: bytes('last') })
        await until(() => reader.all.at(-1) === 'last')
        const arrived = reader.numbers.slice(0, -1)
        expect(arrived.filter((number) => number < SECOND_PUBLISHER)).toEqual(one)
        expect(arrived.filter((number) => number >= SECOND_PUBLISHER)).toEqual(other)
      },
    )

    test(
      'leaves nothing of 1,000 topics that come and go ten times',
      { timeout: 300_000 },
      async () => {
        const { driver } = await openedDriver(await way.driver('broker'))
        const topics = Array.from({ length: 1_000 }, (_, i) =>
          i % 10 === 0 ? `topic-${i}.**` : `topic-${i}`,
        )
        const atFirst = await trial.remains(topics)
        const round = async (): Promise<number> => {
          await Promise.all(topics.map((topic) => driver.subscribe(topic)))
          expect(await held(topics)).toBe(topics.length)
          await Promise.all(topics.map((topic) => driver.unsubscribe(topic)))
          expect(await trial.remains(topics)).toEqual(atFirst)
          return memoryInUse()
        }
        for (let warm = 0; warm < 2; warm++) await round()
        const before = await round()
        for (let more = 0; more < 7; more++) await round()
        expect((await round()) - before).toBeLessThan(2 * MEBIBYTE)
      },
    )
  })
}

/** Publishes numbers from `first` on, one after the other, and resolves with them. */
async function publishUntil(
  over: AbortSignal,
  publish: (topic: string, text: string) => Promise<unknown>,
  first: number,
  keepPace: () => Promise<void>,
): Promise<number[]> {
  const sent: number[] = []
  while (!over.aborted) {
    const number = first + sent.length
    await publish(TOPIC, String(number))
    sent.push(number)
    await keepPace()
  }
  return sent
}
