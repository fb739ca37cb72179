import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { IncomingMessage } from '@asbru/core'
import { kafkaDriver } from '@asbru/driver-kafka'
import { expect, onTestFinished, test } from 'vitest'
import { kafkaUnderTest } from './support/kafka-harness.ts'
import { opened, until } from './support/opened.ts'

const { admin, broker, plain, producer } = await kafkaUnderTest()
const connection = { brokers: [broker.url] }

/** Always the same numbers from 0 to 1, which look random. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32
    return state / 2 ** 32
  }
}

/** Frees what is not used, and returns how many bytes are. */
function usedBytes(): number {
  setFlagsFromString('--expose-gc')
  ;(runInNewContext('gc') as () => void)()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

test('delivers each message once while overlapping subscriptions come and go at random', async () => {
  const random = randomFrom(7)
  const reader = await opened({ connection }, 'pets.dogs')
  const overlapping = ['pets.*', 'pets.**', '*.dogs', '**', 'pets.dogs.**', '*.**', 'pets.dogs']
  const held = new Set<string>(['pets.dogs'])
  const changing = new AbortController()
  let sent = 0
  const publishing = (async () => {
    for (; !changing.signal.aborted; sent++)
      await producer.send({ topic: 'asbru', messages: [{ key: 'pets.dogs', value: String(sent) }] })
  })()
  for (let change = 0; change < 1_500; change++) {
    const topic = overlapping[Math.floor(random() * overlapping.length)]!
    if (!held.has(topic)) {
      await reader.driver.subscribe(topic)
      held.add(topic)
    } else if (held.size > 1) {
      held.delete(topic)
      await reader.driver.unsubscribe(topic)
    }
    // A turn for the publisher and the reader: a change needs none of Kafka.
    if (change % 3 === 0) await admin.fetchTopicOffsets('asbru')
  }
  changing.abort()
  await publishing
  await until(() => reader.messages.length >= sent)
  expect(reader.numbers).toEqual(Array.from({ length: sent }, (_, i) => i))
})

/** What there is on the broker. */
async function madeThings(): Promise<unknown> {
  const { groups } = await admin.listGroups()
  return [(await admin.listTopics()).toSorted(), groups.length]
}

test('leaves nothing behind of 1,000 topics that come and go ten times', async () => {
  const { driver } = await opened({ connection })
  const topics = Array.from({ length: 1_000 }, (_, i) =>
    i % 10 === 0 ? `topic-${i}.**` : `topic-${i}`,
  )
  const atFirst = await madeThings()
  const round = async (): Promise<void> => {
    await Promise.all(topics.map((topic) => driver.subscribe(topic)))
    await Promise.all(topics.map((topic) => driver.unsubscribe(topic)))
  }
  await round()
  const before = usedBytes()
  for (let i = 0; i < 10; i++) await round()
  expect(usedBytes() - before).toBeLessThan(2 * 1024 * 1024)
  expect(await madeThings()).toEqual(atFirst)
})

test('keeps of a small payload no more than its own bytes and a small share of others', async () => {
  const reader = await opened({ connection }, 'news')
  const messages = Array.from({ length: 500 }, (_, i) => ({
    key: 'news',
    value: String(i).padEnd(100),
  }))
  await producer.send({ topic: 'asbru', messages })
  await until(() => reader.messages.length === 500)
  for (const { payload } of reader.messages)
    expect(payload.buffer.byteLength).toBeLessThanOrEqual(Buffer.poolSize)
})

const COUNT = 100_000
const TOPICS = 10

/** Hands `send` the numbers up to 100,000, some hundreds at a time; resolves with messages per second. */
async function rate(
  send: (number: number) => Promise<unknown>,
  count: () => number,
): Promise<number> {
  const begin = performance.now()
  for (let first = 0; first < COUNT; first += 500)
    await Promise.all(Array.from({ length: 500 }, (_, i) => send(first + i)))
  await until(() => count() >= COUNT, 60_000)
  return Math.round((COUNT / (performance.now() - begin)) * 1_000)
}

async function bareRate(): Promise<number> {
  await admin.createTopics({ topics: [{ topic: 'bare', numPartitions: 4 }] })
  const consumer = plain.consumer({ groupId: 'bare', maxWaitTimeInMs: 100 })
  onTestFinished(() => consumer.disconnect())
  let count = 0
  await consumer.connect()
  await consumer.subscribe({ topics: ['bare'], fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => void (count += batch.messages.length),
  })
  return rate(
    (n) =>
      producer.send({ topic: 'bare', messages: [{ key: `bare-${n % TOPICS}`, value: padded(n) }] }),
    () => count,
  )
}

function padded(number: number): Buffer {
  return Buffer.from(String(number).padEnd(100))
}

test(
  'delivers 100,000 messages of 100 bytes in the order of each topic',
  { timeout: 180_000 },
  async () => {
    const topics = Array.from({ length: TOPICS }, (_, i) => `load-${i}`)
    const messages: IncomingMessage[] = []
    const driver = kafkaDriver({
      connection,
    })
    onTestFinished(() => driver.close())
    const receiver = {
      message: (message: IncomingMessage) => void messages.push(message),
      status() {},
    }
    await driver.open(receiver, { replica: 'r', namespace: 'n' })
    for (const topic of topics) await driver.subscribe(topic)
    const bare = await bareRate()
    const own = await rate(
      (n) => driver.publish({ topic: topics[n % TOPICS]!, payload: padded(n) }),
      () => messages.length,
    )
    process.stdout.write(
      `kafka: ${own} messages/s through the driver, ${bare} bare (${Math.round((own / bare) * 100)}%)\n`,
    )
    expect(messages).toHaveLength(COUNT)
    for (const [i, topic] of topics.entries()) {
      const numbers = messages.flatMap((message) =>
        message.topic === topic ? [Number(Buffer.from(message.payload).toString())] : [],
      )
      expect(numbers).toEqual(Array.from({ length: COUNT / TOPICS }, (_, n) => n * TOPICS + i))
    }
  },
)
