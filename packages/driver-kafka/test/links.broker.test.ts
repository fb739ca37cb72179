import { setTimeout as wait } from 'node:timers/promises'
import kafkajs from 'kafkajs'
import { afterEach, expect, test } from 'vitest'
import { kafkaUnderTest, throughProxy } from './support/kafka-harness.ts'
import { bytes, opened, until } from './support/opened.ts'
import { steadyStream } from './support/steady-stream.ts'

const kafka = await kafkaUnderTest()
const { proxy, producer } = kafka
const connection = throughProxy(kafka)

afterEach(() => {
  proxy.resume()
  proxy.delay(0)
})

test('loses and repeats nothing when its connections are cut again and again', async () => {
  const reader = await opened({ connection }, 'counted')
  const stream = steadyStream(producer, 'counted')
  for (let i = 0; i < 10; i++) {
    await wait(200)
    proxy.cut()
    proxy.resume()
  }
  await stream.stop()
  await until(() => reader.messages.length >= stream.accepted.length)
  expect(reader.numbers).toEqual(stream.accepted)
  expect(reader.gaps).toEqual([])
})

test('notices links that fell silent, and loses nothing by them', { timeout: 60_000 }, async () => {
  const reader = await opened({ connection }, 'news')
  proxy.stall()
  const publishing = reader.driver.publish({ topic: 'other', payload: bytes('lost') })
  await expect(
    Promise.race([publishing, wait(10_000, 'no answer', { ref: false })]),
  ).rejects.toBeInstanceOf(Error)
  await producer.send({ topic: 'asbru', messages: [{ key: 'news', value: 'missed' }] })
  await until(() => reader.told('reconnecting') === 1)
  await wait(12_000)
  proxy.resume()
  await until(() => reader.told('connected') === 2)
  await until(() => reader.all.includes('missed'))
  await reader.driver.publish({ topic: 'news', payload: bytes('again') })
  await until(() => reader.all.includes('again'))
  expect(reader.messages).toHaveLength(2)
  expect(reader.gaps).toEqual([])
})

test(
  'makes new connections in the place of those that fell silent',
  { timeout: 60_000 },
  async () => {
    const reader = await opened({ connection }, 'news')
    const before = proxy.port
    // What the broker sends from now on arrives a minute later: on these connections, nothing comes.
    proxy.delay(60_000)
    await until(() => reader.told('reconnecting') === 1)
    proxy.delay(0)
    expect(proxy.port).toBe(before)
    await producer.send({ topic: 'asbru', messages: [{ key: 'news', value: 'missed' }] })
    await until(() => reader.all.includes('missed'), 30_000)
    expect(reader.told('connected')).toBe(2)
  },
)

test('works over a slow link', async () => {
  proxy.delay(100)
  const reader = await opened({ connection }, 'slow.*')
  await reader.driver.publish({ topic: 'slow.news', payload: bytes('hello') })
  await until(() => reader.all.includes('hello'))
  expect(reader.all).toEqual(['connected', 'hello'])
})

test('makes another consumer in the place of one that gave up, and goes on where it was', async () => {
  const logLevel = kafkajs.logLevel.NOTHING
  const client = new kafkajs.Kafka({ ...connection, logLevel, retry: { retries: 0 } })
  const reader = await opened({ client }, 'counted')
  const stream = steadyStream(producer, 'counted')
  await until(() => reader.messages.length > 10)
  proxy.cut()
  await until(() => reader.told('reconnecting') === 1)
  expect(reader.statuses.find(({ type }) => type === 'reconnecting')).toHaveProperty('error')
  await wait(1_000)
  proxy.resume()
  await until(() => reader.told('connected') === 2)
  await stream.stop()
  await until(() => reader.messages.length >= stream.accepted.length)
  expect(reader.numbers).toEqual(stream.accepted)
  expect(reader.gaps).toEqual([])
})
