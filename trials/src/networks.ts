import { setTimeout as wait } from 'node:timers/promises'
import type { TcpProxy } from '@asbru/brokers'
import { afterEach, describe, expect, test } from 'vitest'
import { bytes, openedDriver, until } from './recorder.ts'
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
  readonly ways: readonly Way[]
}

/** Registers tests of what a driver does on a network that cuts, stalls and delays. */
export function describeNetworks({ name, proxies, ways }: NetworkTrial): void {
  afterEach(() => {
    for (const proxy of proxies) {
      proxy.resume()
      proxy.delay(0)
    }
  })

  describe.each([...ways])(`a network before ${name} that is no good, for $name`, (way) => {
    test(
      'costs nothing that is not told when it cuts the connections again and again',
      { timeout: 60_000 },
      async () => {
        const reader = await openedDriver(await way.driver('proxy'), 'cut')
        const stream = steadyStream(await publisherOf(way), 'cut', way.pauseMs)
        for (let round = 1; round <= CUTS; round++) {
          const before = reader.messages.length
          await until(() => reader.messages.length > before + 20)
          for (const proxy of proxies) proxy.cut()
          if (way.tellsGapOfCut) await until(() => reader.told('reconnecting') === round)
          else await wait(100)
          for (const proxy of proxies) proxy.resume()
          await until(() => reader.types.at(-1) === 'connected')
        }
        const before = reader.messages.length
        await until(() => reader.messages.length > before)
        await stream.stop()
        await until(() => reader.numbers.at(-1)! >= stream.accepted.at(-1)!)
        expect(reader.gaps).toHaveLength(way.tellsGapOfCut ? CUTS : 0)
        expectNoSilentLoss(reader, stream.accepted)
      },
    )

    test(
      'is noticed when nothing gets through, and left for a new connection',
      { timeout: 90_000 },
      async () => {
        const publish = await publisherOf(way)
        const reader = await openedDriver(await way.driver('proxy'), 'stalled')
        await publish('stalled', '0')
        await until(() => reader.messages.length === 1)
        for (const proxy of proxies) proxy.stall()
        await publish('stalled', '1')
        await Promise.all([
          expectRefusal(way, reader.driver),
          until(() => reader.told('reconnecting') === 1, NOTICED_WITHIN_MS),
        ])
        for (const proxy of proxies) proxy.resume()
        await until(() => reader.types.at(-1) === 'connected')
        await reader.driver.publish({ topic: 'stalled', payload: bytes('2') })
        await until(() => reader.texts.includes('2'))
        // A driver with several connections may have noticed it on one that carries no messages.
      },
    )

    test('only takes longer when everything is late', async () => {
      for (const proxy of proxies) proxy.delay(100)
      const reader = await openedDriver(await way.driver('proxy'), 'slow')
      const numbers = Array.from({ length: way.burst ?? 100 }, (_, i) => i)
      await Promise.all(
        numbers.map((n) => reader.driver.publish({ topic: 'slow', payload: bytes(n) })),
      )
      await until(() => reader.messages.length === numbers.length)
      expect(reader.numbers).toEqual(numbers)
      expect(reader.types).toEqual(['connected'])
    })
  })
}
