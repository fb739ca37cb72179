import { setTimeout as wait } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { bytes, opened, until } from './support/opened.ts'
import { redisUnderTest } from './support/redis-harness.ts'

const { broker, plain, url } = await redisUnderTest()

/** Goes on by itself so soon after the broker is back. */
const BACK_WITHIN_MS = 3_000

/** Publishes numbers, both ways, as any program would, and counts those that Redis accepted. */
function steadyStream(redis: Redis): { accepted: number[]; stop(): Promise<void> } {
  const accepted: number[] = []
  const over = new AbortController()
  const done = run()
  return {
    accepted,
    stop() {
      over.abort()
      return done
    },
  }

  async function run(): Promise<void> {
    for (let next = 0; !over.signal.aborted; next++) {
      const results = await Promise.allSettled([
        redis.publish('steady', String(next)),
        redis.xadd('asbru', '*', 'topic', 'steady', 'data', String(next)),
      ])
      if (results.every(({ status }) => status === 'fulfilled')) accepted.push(next)
      await wait(1)
    }
  }
}

test.each([0, 5_000, 15_000])(
  'goes on by itself after a SIGKILL and %i ms without Redis',
  { timeout: 60_000 },
  async (outageMs) => {
    await plain.flushall()
    const client = plain.duplicate({
      maxRetriesPerRequest: 0,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      retryStrategy: () => 20,
    })
    client.on('error', () => {})
    await until(() => client.status === 'ready')
    const pubsub = await opened({ connection: url }, 'steady')
    const streams = await opened({ connection: url, mode: 'streams' }, 'steady')
    const stream = steadyStream(client)
    await until(() => pubsub.messages.length > 100 && streams.messages.length > 100)

    await broker.kill()
    await until(() => [pubsub, streams].every(({ all }) => all.includes('reconnecting')))
    await wait(outageMs)
    const before = [pubsub.messages.length, streams.messages.length] as const
    await broker.start()
    await until(
      () => pubsub.messages.length > before[0] && streams.messages.length > before[1],
      BACK_WITHIN_MS,
    )

    await until(() => pubsub.messages.length > before[0] + 100)
    await stream.stop()
    const last = stream.accepted.at(-1)!
    await until(() => [pubsub, streams].every(({ numbers }) => numbers.at(-1)! >= last))
    client.disconnect()

    // The log decides what was accepted: an answer may have been lost with the connection.
    const log = await plain.xrange('asbru', '-', '+')
    expect(streams.numbers).toEqual(log.map(([, fields]) => Number(fields[3])))
    expect(streams.gaps).toEqual([])

    expect(pubsub.gaps).toEqual(['gap broker-reconnected'])
    const told = pubsub.all.indexOf('gap broker-reconnected')
    expect(told).toBeGreaterThan(pubsub.all.indexOf('reconnecting'))
    expect(told).toBeLessThan(pubsub.all.indexOf('connected', 1))
    const numbers = pubsub.numbers
    expect(new Set(numbers).size).toBe(numbers.length)
    // All that is missing is missing in one place: where the gap was told.
    const jumps = numbers.filter((number, i) => i > 0 && number !== numbers[i - 1]! + 1)
    const afterGap = Number(pubsub.all.slice(told).find((text) => /^\d+$/.test(text)))
    expect(jumps.every((number) => number === afterGap)).toBe(true)
  },
)

test('refuses to publish within 2 s while Redis is down', async () => {
  const drivers = [
    await opened({ connection: url }),
    await opened({ connection: url, mode: 'streams' }),
  ]
  await broker.kill()
  try {
    for (const { driver } of drivers) {
      const begin = performance.now()
      await expect(driver.publish({ topic: 'lost', payload: bytes('x') })).rejects.toBeInstanceOf(
        Error,
      )
      expect(performance.now() - begin).toBeLessThan(2_000)
    }
  } finally {
    await broker.start()
  }
  for (const each of drivers) {
    await until(() => each.told('connected') === 2)
    await each.driver.subscribe('again')
    await each.driver.publish({ topic: 'again', payload: bytes('again') })
    await until(() => each.all.includes('again'))
    expect(each.messages.map(({ topic }) => topic)).toEqual(['again'])
  }
})

test('fails to open with the reason when Redis is absent for as long as it was told to wait', async () => {
  await broker.kill()
  try {
    const opening = opened({ connection: broker.url, startTimeoutMs: 300 })
    await expect(opening).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  } finally {
    await broker.start()
  }
})

test('waits for ever for an absent Redis if it is told to', async () => {
  await broker.kill()
  const opening = opened({ connection: url, startTimeoutMs: 0 }, 'late')
  await wait(1_000)
  await broker.start()
  const { driver, all } = await opening
  await driver.publish({ topic: 'late', payload: bytes('late') })
  await until(() => all.includes('late'))
  expect(all).toEqual(['connected', 'late'])
})
