import { setTimeout as wait } from 'node:timers/promises'
import type { TcpProxy } from '@asbru/brokers'
import { afterEach, describe, expect, test } from 'vitest'
import { bytes, type Opened, openedDriver, until } from './recorder.ts'
import { expectRefusal } from './refusal.ts'
import { publisherOf, steadyStream } from './steady-stream.ts'
import { expectNoSilentLoss } from './tally.ts'
import type { Way } from './way.ts'

const NOTICED_WITHIN_MS = 30_000
const CUTS = 10

/** What stands before the broker, and who must bear what it does. */
export interface NetworkTrial {
  /** Stands in the titles. */
  readonly name: string
  /** Before each node of the broker. */
  readonly proxies: readonly TcpProxy[]
  /** All of them bear it together. */
  readonly ways: readonly Way[]
}

/** Registers tests of what a driver does on a network that cuts, stalls and delays. */
export function describeNetworks({ name, proxies, ways }: NetworkTrial): void {
  const resume = (): void => {
    for (const proxy of proxies) proxy.resume()
  }

  afterEach(() => {
    resume()
    for (const proxy of proxies) proxy.delay(0)
  })

  describe(`a network before ${name} that is no good`, () => {
    test(
      'costs nothing that is not told when it cuts the connections again and again',
      { timeout: 90_000 },
      async () => {
        const scenes = await together(ways, 'cut', async (way, reader, topic) => ({
          way,
          reader,
          stream: steadyStream(await publisherOf(way), topic, way.pauseMs),
        }))
        for (let round = 1; round <= CUTS; round++) {
          const before = scenes.map(({ reader }) => reader.messages.length + 20)
          await until(() => scenes.every(({ reader }, i) => reader.messages.length > before[i]!))
          for (const proxy of proxies) proxy.cut()
          const aware = scenes.filter(({ way }) => way.tellsGapOfCut)
          await until(() => aware.every(({ reader }) => reader.told('reconnecting') === round))
          await wait(100)
          resume()
          await until(() => scenes.every(({ reader }) => reader.types.at(-1) === 'connected'))
        }
        for (const { way, reader, stream } of scenes) {
          const before = reader.messages.length
          await until(() => reader.messages.length > before)
          await stream.stop()
          await until(() => reader.numbers.at(-1)! >= stream.accepted.at(-1)!)
          expect(reader.gaps).toHaveLength(way.tellsGapOfCut ? CUTS : 0)
          expectNoSilentLoss(reader, stream.accepted)
        }
      },
    )

    test(
      'is noticed when nothing gets through, and left for a new connection',
      { timeout: 120_000 },
      async () => {
        const scenes = await together(ways, 'stalled', async (way, reader, topic) => {
          const publish = await publisherOf(way)
          await publish(topic, '0')
          await until(() => reader.messages.length === 1)
          return { way, reader, topic, publish }
        })
        for (const proxy of proxies) proxy.stall()
        await Promise.all(
          scenes.flatMap(({ way, reader, topic, publish }) => [
            publish(topic, '1'),
            expectRefusal(way, reader.driver),
            until(() => reader.told('reconnecting') === 1, NOTICED_WITHIN_MS),
          ]),
        )
        resume()
        for (const { way, reader, topic } of scenes) {
          await until(() => reader.types.at(-1) === 'connected')
          await reader.driver.publish({ topic, payload: bytes('2') })
          await until(() => reader.texts.includes('2'))
          expectNoSilentLoss(reader, [0, 1, 2])
          // A driver with several connections may have noticed it on one that carries no messages.
          expect(reader.gaps.length).toBeLessThanOrEqual(way.tellsGapOfCut ? 1 : 0)
        }
      },
    )

    test('only takes longer when everything is late', { timeout: 60_000 }, async () => {
      for (const proxy of proxies) proxy.delay(100)
      await together(ways, 'slow', async ({ burst = 100 }, reader, topic) => {
        const numbers = Array.from({ length: burst }, (_, i) => i)
        await Promise.all(numbers.map((n) => reader.driver.publish({ topic, payload: bytes(n) })))
        await until(() => reader.messages.length === numbers.length)
        expect(reader.numbers).toEqual(numbers)
        expect(reader.types).toEqual(['connected'])
      })
    })
  })
}

/** Does something in each way at the same time, with a reader of a topic of its own behind the proxies. */
function together<Result>(
  ways: readonly Way[],
  topic: string,
  each: (way: Way, reader: Opened, topic: string) => Promise<Result>,
): Promise<Result[]> {
  return Promise.all(
    ways.map(async (way, i) => {
      const own = `${topic}-${i}`
      return each(way, await openedDriver(await way.driver('proxy'), own), own)
    }),
  )
}
