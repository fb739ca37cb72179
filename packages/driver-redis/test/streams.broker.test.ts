import { crc32 } from 'node:zlib'
import { redisDriver } from '@asbru/driver-redis'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { offsetOf } from '../src/stream-log.ts'
import { bytes, Opened, opened, openedWith, until } from './support/opened.ts'
import { redisUnderTest } from './support/redis-harness.ts'

const { broker, proxy, plain, url } = await redisUnderTest()

const streams = { connection: url, mode: 'streams' } as const

beforeEach(() => plain.flushall())

/** Adds entries with the numbers from `first` to `last`. */
async function add(first: number, last: number): Promise<void> {
  for (let i = first; i <= last; i++)
    await plain.xadd('asbru', '*', 'topic', 'counted', 'data', String(i))
}

/** Does something while the driver cannot reach Redis, and waits until it can again. */
async function away(
  reader: Awaited<ReturnType<typeof opened>>,
  what: () => Promise<unknown>,
): Promise<void> {
  const before = reader.told('connected')
  proxy.cut()
  await until(() => reader.all.includes('reconnecting'))
  await what()
  proxy.resume()
  await until(() => reader.told('connected') > before)
}

/** It is connected again once it can publish, too: behind the gap, but perhaps not before it reads on. */
function apartFromReturn(told: readonly string[]): string[] {
  const rest = told.filter((each) => each !== 'connected')
  expect(rest).toHaveLength(told.length - 1)
  expect(told.indexOf('connected')).toBeGreaterThan(
    told.findIndex((each) => each.startsWith('gap ')),
  )
  return rest
}

test('goes on exactly where it was when nothing that it had not read was trimmed', async () => {
  const reader = await opened(streams, 'counted')
  await add(0, 9)
  await until(() => reader.messages.length === 10)
  await away(reader, async () => {
    await add(10, 19)
    await plain.xtrim('asbru', 'MAXLEN', 10)
  })
  await until(() => reader.messages.length === 20)
  expect(reader.numbers).toEqual(Array.from({ length: 20 }, (_, i) => i))
  expect(reader.gaps).toEqual([])
})

test('tells a gap before what comes after it when the stream was trimmed past its position', async () => {
  const reader = await opened(streams, 'counted')
  await add(0, 9)
  await until(() => reader.messages.length === 10)
  await away(reader, async () => {
    await add(10, 19)
    await plain.xtrim('asbru', 'MAXLEN', 5)
  })
  const [first] = (await plain.xrange('asbru', '-', '+', 'COUNT', 1)) as [[string, string[]]]
  await until(() => reader.messages.length === 15)
  expect(apartFromReturn(reader.all.slice(11))).toEqual([
    'reconnecting',
    'gap log-trimmed',
    '15',
    '16',
    '17',
    '18',
    '19',
  ])
  expect(reader.begins).toEqual([0n, offsetOf(first[0]) - 1n])
})

test('tells the same of a backlog that takes many reads', async () => {
  const reader = await opened(streams, 'counted')
  await add(0, 9)
  await until(() => reader.messages.length === 10)
  await away(reader, async () => {
    await add(10, 2_999)
    await plain.xtrim('asbru', 'MAXLEN', 2_500)
  })
  await until(() => reader.messages.length === 2_510)
  expect(reader.numbers.slice(10)).toEqual(Array.from({ length: 2_500 }, (_, i) => i + 500))
  expect(reader.gaps).toEqual(['log-trimmed'])
})

test('tells a gap when the stream was deleted and made again while it was away', async () => {
  const reader = await opened(streams, 'counted')
  await add(0, 9)
  await until(() => reader.messages.length === 10)
  await away(reader, async () => {
    await plain.del('asbru')
    await add(10, 12)
  })
  await until(() => reader.messages.length === 13)
  expect(apartFromReturn(reader.all.slice(11))).toEqual([
    'reconnecting',
    'gap log-changed',
    '10',
    '11',
    '12',
  ])
})

test('tells a gap when the stream is deleted under its eyes, and reads the next from its beginning', async () => {
  const reader = await opened(streams, 'counted')
  await add(0, 9)
  await until(() => reader.messages.length === 10)
  await plain.del('asbru')
  await until(() => reader.gaps.length > 0)
  await plain.xadd('asbru', '1-1', 'topic', 'counted', 'data', '10')
  await until(() => reader.messages.length === 11)
  expect(reader.gaps).toEqual(['log-changed'])
})

test('tells a gap when Redis comes back without the data that it had', async () => {
  const reader = await opened(streams, 'counted')
  await add(0, 9)
  await until(() => reader.messages.length === 10)
  await away(reader, async () => {
    await plain.flushall()
    await broker.kill()
    await broker.start()
    await plain.ping()
  })
  expect(reader.gaps).toEqual(['log-changed'])
})

test('reads several streams, and publishes a topic to the one that its CRC-32 names', async () => {
  const keys = ['one', 'two:{x}', 'three']
  const reader = await opened({ ...streams, streams: { keys } }, '**')
  const topics = Array.from({ length: 30 }, (_, i) => `topic-${i}`)
  for (const topic of topics) await reader.driver.publish({ topic, payload: bytes(topic) })
  await until(() => reader.messages.length === 30)
  for (const { topic, position } of reader.messages) {
    const place = crc32(topic) % 3
    expect(position!.log).toMatch([/^one$/, /^two--x--[0-9a-f]{16}$/, /^three$/][place]!)
  }
  expect(await Promise.all(keys.map((key) => plain.xlen(key)))).not.toContain(0)
})

test('trims to about the length that it was told, and by age', async () => {
  await add(0, 999)
  await opened({ ...streams, streams: { maxLength: 100 } })
  await until(async () => (await plain.xlen('asbru')) < 300)
  await plain.xadd('asbru', String(Date.now() + 60_000), 'topic', 'counted', 'data', '1')
  await opened({ ...streams, streams: { maxAgeMs: 30_000 } })
  await until(async () => (await plain.xlen('asbru')) < 101)
  expect(await plain.xlen('asbru')).toBeGreaterThan(0)
})

test('begins with what is younger than its backlog, behind the last entry that is older', async () => {
  await add(0, 4)
  const [last] = (await plain.xrevrange('asbru', '+', '-', 'COUNT', 1)) as [[string, string[]]]
  await new Promise((resolve) => setTimeout(resolve, 1_200))
  const none = await openedWith(redisDriver(streams), { backlogMs: 1_000 }, 'counted')
  expect(none.begins).toEqual([offsetOf(last[0])])
  await add(5, 2_999)
  const some: Opened = new Opened(redisDriver(streams))
  onTestFinished(() => some.driver.close())
  await some.driver.open(some, { replica: 'r', namespace: 'n', backlogMs: 60_000 })
  expect(some.begins).toEqual([0n])
  expect(some.numbers).toEqual(Array.from({ length: 3_000 }, (_, i) => i))
  await add(3_000, 3_000)
  await some.driver.catchUp!()
  await until(() => none.messages.length === 2_996)
  expect(none.messages).toEqual(some.messages.slice(5))
  expect([...none.gaps, ...some.gaps]).toEqual([])
})

test('does not say that it has caught up while Redis is out of reach', async () => {
  const reader = await opened(streams)
  await away(reader, () => expect(reader.driver.catchUp!()).rejects.toBeInstanceOf(Error))
  await reader.driver.catchUp!()
})

test('keeps what replicas tell each other in a stream of its own, and not all of it', async () => {
  const reader = await opened(streams, 'asbru.control.n.r')
  const tell = (text: number): Promise<void> =>
    reader.driver.publish({ topic: 'asbru.control.n.r', payload: bytes(text) })
  for (let i = 0; i < 12_000; i += 1_000)
    await Promise.all(Array.from({ length: 1_000 }, (_, j) => tell(i + j)))
  await until(() => reader.messages.length === 12_000)
  expect(reader.numbers).toEqual(Array.from({ length: 12_000 }, (_, i) => i))
  expect(await plain.exists('asbru')).toBe(0)
  expect(await plain.xlen('asbru:control')).toBeLessThan(11_000)
})

test('passes over entries that are no messages', async () => {
  const reader = await opened(streams, 'counted')
  await plain.xadd('asbru', '*', 'data', 'no topic')
  await plain.xadd('asbru', '*', 'topic', 'counted')
  await plain.xadd('asbru', '*', 'data', '1', 'more', 'x', 'topic', 'counted')
  await until(() => reader.messages.length === 1)
  expect(reader.numbers).toEqual([1])
  expect(reader.gaps).toEqual([])
})

test('makes and trims nothing if it is told so', async () => {
  const options = { ...streams, create: false, streams: { maxLength: 1 } }
  await expect(opened(options)).rejects.toThrow('no stream asbru')
  await add(0, 199)
  const { driver } = await opened(options)
  await driver.publish({ topic: 'counted', payload: bytes(200) })
  await plain.del('asbru')
  await expect(driver.publish({ topic: 'counted', payload: bytes(201) })).rejects.toThrow(
    'no stream asbru',
  )
})

test('does not open on a key that is no stream', async () => {
  await plain.set('asbru', 'text')
  await expect(opened(streams)).rejects.toThrow('WRONGTYPE')
})
