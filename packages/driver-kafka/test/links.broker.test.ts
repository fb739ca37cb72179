import { setTimeout as wait } from 'node:timers/promises'
import { describeNetworks, steadyStream } from '@asbru/trials'
import kafkajs from 'kafkajs'
import { expect, test } from 'vitest'
import { kafkaUnderTest, kafkaWay, throughProxy } from './support/kafka-harness.ts'
import { opened, until } from './support/opened.ts'

const kafka = await kafkaUnderTest()
const { proxy, producer } = kafka
const connection = throughProxy(kafka)
const way = kafkaWay(kafka)

describeNetworks({ name: 'Kafka', proxies: [proxy], ways: [way] })

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

test('makes another consumer in the place of one that gave up, and goes on where it was', async () => {
  const logLevel = kafkajs.logLevel.NOTHING
  const client = new kafkajs.Kafka({ ...connection, logLevel, retry: { retries: 0 } })
  const reader = await opened({ client }, 'counted')
  const stream = steadyStream(way.publish!, 'counted')
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
