import { setImmediate as turn } from 'node:timers/promises'
import type { IncomingMessage } from '@asbru/core'
import { gcpPubsubDriver } from '@asbru/driver-gcp-pubsub'
import type { Message } from '@google-cloud/pubsub'
import { expect, onTestFinished, test } from 'vitest'
import { memoryInUse } from '../../core/test/support/memory-in-use.ts'
import { bytesOf, openOptions, textOf } from '../../driver-nats/test/support/recorder.ts'
import { pubsubUnderTest } from './support/pubsub-under-test.ts'
import { reader } from './support/reader.ts'

const { connection, plain, subscriptions, broker } = await pubsubUnderTest()

test('each message arrives once while overlapping subscriptions come and go at random', async () => {
  const random = randomFrom(7)
  const { driver, inbox } = await reader({ connection }, 'pets.dogs')
  const held = new Set(['pets.dogs'])
  const all = ['pets.dogs', 'pets.*', 'pets.**', '*.dogs', '**']
  let sent = 0
  const publishing = (async () => {
    for (; sent < 300; sent++)
      await driver.publish({ topic: 'pets.dogs', payload: bytesOf(String(sent)) })
  })()
  while (inbox.messages.length < 300) {
    const topic = all[Math.floor(random() * all.length)]!
    if (!held.has(topic)) {
      held.add(topic)
      await driver.subscribe(topic)
    } else if (held.size > 1) {
      held.delete(topic)
      await driver.unsubscribe(topic)
    }
    await turn()
  }
  await publishing
  expect(inbox.texts).toEqual(Array.from({ length: 300 }, (_, i) => String(i)))
})

test('1,000 topics that come and go ten times leave nothing behind', async () => {
  const { driver } = await reader({ connection })
  const before = await subscriptions()
  const topics = Array.from({ length: 1_000 }, (_, i) => (i % 10 === 0 ? `t${i}.**` : `t${i}`))
  const round = async (): Promise<void> => {
    for (const topic of topics) await driver.subscribe(topic)
    for (const topic of topics) await driver.unsubscribe(topic)
  }
  await round()
  const used = memoryInUse()
  for (let i = 0; i < 10; i++) await round()
  expect(memoryInUse() - used).toBeLessThan(2 * 1024 * 1024)
  expect(await subscriptions()).toEqual(before)
})

const COUNT = 5_000
const TOPICS = 50

test('5,000 messages of 100 bytes arrive, in the order of each topic', async () => {
  const bare = await bareRate()
  const messages: IncomingMessage[] = []
  const arrival = Promise.withResolvers<void>()
  // Past the proxy, as the bare client.
  const driver = gcpPubsubDriver({ connection: { ...connection, apiEndpoint: broker.url } })
  onTestFinished(() => driver.close())
  const receiver = {
    message(message: IncomingMessage) {
      if (messages.push(message) === COUNT) arrival.resolve()
    },
    status() {},
  }
  await driver.open(receiver, { ...openOptions, replica: 'load' })
  await driver.subscribe('load.*')
  const own = await rate(
    (number) => driver.publish({ topic: `load.${number % TOPICS}`, payload: hundredBytes(number) }),
    arrival.promise,
  )
  process.stdout.write(
    `gcp-pubsub: ${own} messages/s through the driver, ${bare} bare (${Math.round((own / bare) * 100)}%)\n`,
  )
  expect(messages).toHaveLength(COUNT)
  for (let topic = 0; topic < TOPICS; topic++) {
    const arrived = messages.filter((message) => message.topic === `load.${topic}`)
    expect(arrived.map((message) => Number(textOf(message)))).toEqual(
      Array.from({ length: COUNT / TOPICS }, (_, i) => i * TOPICS + topic),
    )
  }
}, 120_000)

/** The client alone, with ordering and the same number of keys. */
async function bareRate(): Promise<number> {
  const [topic] = await plain.createTopic('bare')
  topic.setPublishOptions({ messageOrdering: true, batching: { maxMilliseconds: 0 } })
  await topic.createSubscription('bare', { enableMessageOrdering: true })
  const subscription = plain.subscription('bare', { batching: { maxMilliseconds: 5 } })
  const arrival = Promise.withResolvers<void>()
  const ids = new Set<string>()
  subscription.on('error', arrival.reject)
  subscription.on('message', (message: Message) => {
    ids.add(message.id)
    message.ack()
    if (ids.size === COUNT) arrival.resolve()
  })
  try {
    return await rate(
      (number) =>
        topic.publishMessage({
          data: Buffer.from(hundredBytes(number)),
          orderingKey: `load.${number % TOPICS}`,
        }),
      arrival.promise,
    )
  } finally {
    await subscription.close()
    await subscription.delete()
  }
}

/** Messages per second from the first publish to the last arrival, some hundreds at a time. */
async function rate(
  publish: (number: number) => Promise<unknown>,
  arrival: Promise<void>,
): Promise<number> {
  const begin = performance.now()
  for (let first = 0; first < COUNT; first += 500)
    await Promise.all(Array.from({ length: 500 }, (_, i) => publish(first + i)))
  await arrival
  return Math.round((COUNT / (performance.now() - begin)) * 1_000)
}

function hundredBytes(number: number): Uint8Array {
  return bytesOf(String(number).padEnd(100))
}

/** Always the same numbers from 0 to 1, which look random. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32
    return state / 2 ** 32
  }
}
