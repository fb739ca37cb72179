import { type IncomingMessage, type Receiver, Streamer } from '@asbru/core'
import { memoryBroker, memoryDriver } from '@asbru/driver-memory'
import { expect, test } from 'vitest'

const options = { replica: 'r', namespace: 'n' }

function readerOf(messages: IncomingMessage[]): Receiver {
  return { message: (message) => void messages.push(message), status() {} }
}

const hello = { topic: 'news', payload: new TextEncoder().encode('hello') }

test('has a broker of its own unless it is given one', async () => {
  const heard: IncomingMessage[] = []
  const [one, other] = [memoryDriver(), memoryDriver()]
  await one.open(readerOf(heard), options)
  await other.open(readerOf([]), options)
  await one.subscribe('news')
  await other.publish(hello)
  expect(heard).toEqual([])
  await one.publish(hello)
  expect(heard).toHaveLength(1)
})

test('says whether others hear its broker', () => {
  expect(memoryDriver().capabilities.shared).toBe(false)
  expect(memoryDriver({ broker: memoryBroker() }).capabilities.shared).toBe(true)
})

test('hands a message over before publish resolves', async () => {
  const heard: IncomingMessage[] = []
  const driver = memoryDriver()
  await driver.open(readerOf(heard), options)
  await driver.subscribe('news')
  const published = driver.publish(hello)
  expect(heard).toHaveLength(1)
  await published
})

test('gives all drivers of a broker one copy of a payload, which is not the publisher’s', async () => {
  const broker = memoryBroker()
  const heard: IncomingMessage[] = []
  for (const driver of [memoryDriver({ broker }), memoryDriver({ broker })]) {
    await driver.open(readerOf(heard), options)
    await driver.subscribe('news')
  }
  broker.publish(hello)
  expect(heard[0]!.payload).toBe(heard[1]!.payload)
  expect(heard[0]!.payload).not.toBe(hello.payload)
})

test('says that it is closed, once', async () => {
  const told: string[] = []
  const driver = memoryDriver()
  await driver.open({ message() {}, status: ({ type }) => told.push(type) }, options)
  await driver.close()
  await driver.close()
  expect(told).toEqual(['connected', 'closed'])
})

test('carries what another Streamer of the process publishes', async () => {
  const broker = memoryBroker()
  const one = new Streamer({ driver: memoryDriver({ broker }), drainMs: 0 })
  const other = new Streamer({ driver: memoryDriver({ broker }), drainMs: 0 })
  await one.newClient({ topics: ['news'] })
  await other.publish('news', 'hello')
  expect((await one.status()).counters.messagesIn).toBe(1)
  await Promise.all([one.close(), other.close()])
})
