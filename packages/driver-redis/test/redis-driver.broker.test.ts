import { once } from 'node:events'
import { redisDriver } from '@asbru/driver-redis'
import { Redis } from 'ioredis'
import { expect, onTestFinished, test } from 'vitest'
import { bytes, opened, until } from './support/opened.ts'
import { redisUnderTest } from './support/redis-harness.ts'

const { broker, plain } = await redisUnderTest()

test.each(['pubsub', 'streams'] as const)(
  'takes over the options of a client, in %s, and leaves it open',
  async (mode) => {
    const client = new Redis(broker.url, { db: 3, keyPrefix: 'app:', enableOfflineQueue: true })
    onTestFinished(() => client.disconnect())
    await once(client, 'ready')
    const reader = await opened({ client, mode }, 'news')
    await reader.driver.publish({ topic: 'news', payload: bytes('hello') })
    await until(() => reader.all.includes('hello'))
    expect(await client.exists('asbru')).toBe(0)
    await reader.driver.close()
    expect(client.status).toBe('ready')
  },
)

test.each(['pubsub', 'streams'] as const)(
  'speaks the second version of the protocol, in %s, to a Redis that is asked for it',
  async (mode) => {
    const connection = { port: broker.port, protocol: 2 } as const
    const reader = await opened({ connection, mode }, 'a', 'b.*', 'b.x')
    const { driver } = reader
    await driver.publish({ topic: 'b.x', payload: bytes('1') })
    await until(() => reader.all.includes('1'))
    for (const topic of ['a', 'b.*', 'b.x']) await driver.unsubscribe(topic)
    await driver.publish({ topic: 'b.x', payload: bytes('2') })
    await driver.subscribe('b.**')
    await driver.publish({ topic: 'b.x', payload: bytes('3') })
    await until(() => reader.all.includes('3'))
    expect(reader.all).toEqual(['connected', '1', '3'])
  },
)

test('puts its prefix before channels, and takes it away again', async () => {
  const reader = await opened({ connection: broker.url, prefix: 'app[1]*:' }, 'pets.**', 'news')
  const other = await opened({ connection: broker.url }, '**')
  for (const channel of [
    'app[1]*:pets',
    'app[1]*:pets.dogs',
    'app[1]*:news',
    'app1x:pets.cats',
    'pets',
  ])
    await plain.publish(channel, channel)
  await until(() => other.messages.length >= 5)
  await until(() => reader.messages.length >= 3)
  expect(reader.messages.map(({ topic }) => topic)).toEqual(['pets', 'pets.dogs', 'news'])
})

test('passes over channels whose names are no text', async () => {
  const reader = await opened({ connection: broker.url }, '**')
  await plain.publish(Buffer.from([0xff, 0x61]), 'bytes')
  await plain.publish('text', 'text')
  await until(() => reader.messages.length > 0)
  expect(reader.all).toEqual(['connected', 'text'])
})

test('keeps of a small payload no more than its own bytes and a small share of others', async () => {
  const reader = await opened({ connection: broker.url }, 'news')
  await Promise.all(
    Array.from({ length: 500 }, (_, i) => plain.publish('news', String(i).padEnd(100))),
  )
  await until(() => reader.messages.length === 500)
  for (const { payload } of reader.messages)
    expect(payload.buffer.byteLength).toBeLessThanOrEqual(Buffer.poolSize)
})

test('says which topic Redis does not let it have any more', async () => {
  await plain.acl('SETUSER', 'relay', 'on', '>secret', '+@all', '~*', '&news', '&pets.*', '&pets')
  onTestFinished(async () => void (await plain.acl('DELUSER', 'relay')))
  const connection = { port: broker.port, username: 'relay', password: 'secret' }
  const reader = await opened({ connection }, 'news', 'pets.**')
  await expect(reader.driver.subscribe('other')).rejects.toThrow('NOPERM')
  await plain.acl('SETUSER', 'relay', 'resetchannels', '&news')
  await until(() => reader.told('connected') === 2)
  expect(reader.statuses.filter(({ type }) => type === 'topicFailed')).toMatchObject([
    { topic: 'pets.**' },
  ])
  await plain.publish('news', 'still')
  await until(() => reader.all.at(-1) === 'still')
})

test('does not open with a wrong password, and says why', async () => {
  const driver = redisDriver({
    connection: { port: broker.port, username: 'nobody', password: 'wrong' },
    startTimeoutMs: 300,
  })
  const opening = driver.open({ message() {}, status() {} }, { replica: 'r', namespace: 'n' })
  await expect(opening).rejects.toThrow('WRONGPASS')
})

test('ends at once when it is closed while it waits for an absent Redis', async () => {
  const driver = redisDriver({ connection: { port: 1 }, startTimeoutMs: 0 })
  const opening = driver.open({ message() {}, status() {} }, { replica: 'r', namespace: 'n' })
  const settled = Promise.allSettled([opening])
  await driver.close()
  expect(await settled).toMatchObject([{ status: 'rejected' }])
})
