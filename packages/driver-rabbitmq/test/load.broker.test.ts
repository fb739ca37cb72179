import { Buffer } from 'node:buffer'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { IncomingMessage } from '@asbru/core'
import { rabbitmqDriver } from '@asbru/driver-rabbitmq'
import { expect, onTestFinished, test } from 'vitest'
import { bytes, opened, until } from './support/opened.ts'
import { bindingsOf, rabbitmqUnderTest } from './support/rabbitmq-harness.ts'

const { broker, channel, plain, publishPlain } = await rabbitmqUnderTest()

const modes = [
  ['exchange', {}],
  ['stream', { stream: { name: 'load' } }],
] as const

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

test.each(modes)(
  'delivers each message once while overlapping subscriptions come and go at random, %s',
  { timeout: 60_000 },
  async (_, mode) => {
    const random = randomFrom(7)
    const reader = await opened({ connection: broker.url, ...mode }, 'pets.dogs')
    const all = ['pets.dogs', 'pets.*', 'pets.**', '*.dogs', '**', 'pets.dogs.**', '*.**']
    const held = new Set<string>(['pets.dogs'])
    let sent = 0
    const changing = new AbortController()
    const publishing = (async () => {
      for (; !changing.signal.aborted; sent++)
        await publishPlain({ topic: 'pets.dogs', payload: bytes(sent) })
    })()
    for (let change = 0; change < 1_000; change++) {
      const topic = all[Math.floor(random() * all.length)]!
      if (!held.has(topic)) {
        await reader.driver.subscribe(topic)
        held.add(topic)
      } else if (held.size > 1) {
        held.delete(topic)
        await reader.driver.unsubscribe(topic)
      }
      // A turn for the publisher, where a change needs none of the broker.
      await channel.checkExchange('asbru')
    }
    changing.abort()
    await publishing
    await until(() => reader.messages.length >= sent)
    expect(reader.numbers).toEqual(Array.from({ length: sent }, (_each, i) => i))
  },
)

test(
  'leaves nothing behind of 1,000 topics that come and go ten times',
  { timeout: 120_000 },
  async () => {
    const { driver } = await opened({ connection: broker.url, exchange: 'churn' })
    const topics = Array.from({ length: 1_000 }, (_, i) =>
      i % 10 === 0 ? `topic-${i}.**` : `topic-${i}`,
    )
    const round = async (): Promise<void> => {
      await Promise.all(topics.map((topic) => driver.subscribe(topic)))
      expect(await bindingsOf(broker, 'churn')).toHaveLength(1_000)
      await Promise.all(topics.map((topic) => driver.unsubscribe(topic)))
      expect(await bindingsOf(broker, 'churn')).toEqual([])
    }
    await round()
    const before = usedBytes()
    for (let i = 0; i < 10; i++) await round()
    expect(usedBytes() - before).toBeLessThan(2 * 1024 * 1024)
  },
)

const COUNT = 100_000
const TOPICS = 10

/** Resolves with messages per second once `count` says that all have come. */
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

async function bareRate(mode: 'exchange' | 'stream'): Promise<number> {
  const [publisher, subscriber] = [await plain.createConfirmChannel(), await plain.createChannel()]
  const queue = `bare-${mode}`
  let count = 0
  await subscriber.assertExchange(queue, 'topic')
  await subscriber.assertQueue(queue, {
    ...(mode === 'stream' && { arguments: { 'x-queue-type': 'stream' } }),
  })
  await subscriber.bindQueue(queue, queue, '#')
  await subscriber.prefetch(1_000)
  await subscriber.consume(queue, (message) => {
    if (++count % 100 === 0) subscriber.ack(message!, true)
  })
  const send = (n: number): Promise<void> =>
    new Promise((resolve, reject) => {
      publisher.publish(
        queue,
        `bare-${n % TOPICS}`,
        padded(n),
        { persistent: true },
        (error: Error | null) => (error === null ? resolve() : reject(error)),
      )
    })
  const result = await rate(send, () => count)
  await Promise.all([publisher.close(), subscriber.close()])
  await channel.deleteQueue(queue)
  return result
}

function padded(number: number): Buffer {
  return Buffer.from(String(number).padEnd(100))
}

test.each(modes)(
  'delivers 100,000 messages of 100 bytes in the order of each topic, %s',
  { timeout: 180_000 },
  async (name, mode) => {
    const topics = Array.from({ length: TOPICS }, (_, i) => `load-${i}`)
    const messages: IncomingMessage[] = []
    const driver = rabbitmqDriver({ connection: broker.url, exchange: `load-${name}`, ...mode })
    onTestFinished(() => driver.close())
    const receiver = {
      message: (message: IncomingMessage) => void messages.push(message),
      status() {},
    }
    await driver.open(receiver, { replica: 'r', namespace: 'n' })
    for (const topic of topics) await driver.subscribe(topic)
    const bare = await bareRate(name)
    const own = await rate(
      (n) => driver.publish({ topic: topics[n % TOPICS]!, payload: padded(n) }),
      () => messages.length,
    )
    process.stdout.write(
      `rabbitmq ${name}: ${own} messages/s through the driver, ${bare} bare (${Math.round((own / bare) * 100)}%)\n`,
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
