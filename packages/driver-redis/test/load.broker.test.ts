import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { IncomingMessage } from '@asbru/core'
import { redisDriver } from '@asbru/driver-redis'
import type { Redis } from 'ioredis'
import { expect, onTestFinished, test } from 'vitest'
import { bytes, opened, until } from './support/opened.ts'
import { redisUnderTest } from './support/redis-harness.ts'

const { broker, plain } = await redisUnderTest()

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

test.each(['pubsub', 'streams'] as const)(
  'delivers each message once, in %s, while overlapping subscriptions come and go at random',
  async (mode) => {
    const random = randomFrom(7)
    const reader = await opened({ connection: broker.url, mode }, 'pets.dogs')
    const overlapping = ['pets.*', 'pets.**', '*.dogs', '**', 'pets.dogs.**', '*.**']
    const held = new Set<string>(['pets.dogs'])
    let sent = 0
    const changing = new AbortController()
    const publishing = (async () => {
      for (; !changing.signal.aborted; sent++) {
        const text = String(sent)
        if (mode === 'pubsub') await plain.publish('pets.dogs', text)
        else await plain.xadd('asbru', '*', 'topic', 'pets.dogs', 'data', text)
      }
    })()
    for (let change = 0; change < 1_500; change++) {
      const topic = [...overlapping, 'pets.dogs'][Math.floor(random() * 7)]!
      if (!held.has(topic)) {
        await reader.driver.subscribe(topic)
        held.add(topic)
      } else if (held.size > 1) {
        held.delete(topic)
        await reader.driver.unsubscribe(topic)
      }
      // A turn for the publisher, where a change needs none of Redis.
      if (mode === 'streams') await plain.ping()
    }
    changing.abort()
    await publishing
    await until(() => reader.messages.length >= sent)
    expect(reader.numbers).toEqual(Array.from({ length: sent }, (_, i) => i))
  },
)

test('tells equal messages apart while overlapping subscriptions come and go', async () => {
  const random = randomFrom(11)
  const reader = await opened({ connection: broker.url }, 'pets.dogs')
  let sent = 0
  const changing = new AbortController()
  const publishing = (async () => {
    for (; !changing.signal.aborted; sent++) await plain.publish('pets.dogs', 'woof')
  })()
  for (let change = 0; change < 1_000; change++) {
    const [one, other] = random() < 0.5 ? ['pets.dogs', 'pets.*'] : ['pets.*', 'pets.dogs']
    await reader.driver.subscribe(one)
    await reader.driver.unsubscribe(other)
    await reader.driver.subscribe(other)
  }
  changing.abort()
  await publishing
  await until(() => reader.messages.length >= sent)
  await reader.driver.publish({ topic: 'pets.dogs', payload: bytes('last') })
  await until(() => reader.all.at(-1) === 'last')
  expect(reader.messages).toHaveLength(sent + 1)
})

test(
  'leaves nothing behind of 1,000 topics that come and go ten times',
  { timeout: 60_000 },
  async () => {
    const { driver } = await opened({ connection: broker.url })
    const topics = Array.from({ length: 1_000 }, (_, i) =>
      i % 10 === 0 ? `topic-${i}.**` : `topic-${i}`,
    )
    const round = async (): Promise<void> => {
      await Promise.all(topics.map((topic) => driver.subscribe(topic)))
      expect(await plain.pubsub('CHANNELS')).toHaveLength(1_000)
      await Promise.all(topics.map((topic) => driver.unsubscribe(topic)))
      expect(await plain.pubsub('CHANNELS')).toEqual([])
      expect(await plain.pubsub('NUMPAT')).toBe(0)
    }
    await round()
    const before = usedBytes()
    for (let i = 0; i < 10; i++) await round()
    expect(usedBytes() - before).toBeLessThan(2 * 1024 * 1024)
  },
)

const COUNT = 100_000
const TOPICS = 10

/** Hands `send` the numbers up to 100,000, some hundreds at a time. */
async function inBatches(send: (number: number) => Promise<unknown>): Promise<void> {
  for (let begin = 0; begin < COUNT; begin += 500)
    await Promise.all(Array.from({ length: 500 }, (_, i) => send(begin + i)))
}

/** Resolves with messages per second once `count` says that all have come. */
async function rate(
  send: (number: number) => Promise<unknown>,
  count: () => number,
): Promise<number> {
  const begin = performance.now()
  await inBatches(send)
  await until(() => count() >= COUNT, 60_000)
  return Math.round((COUNT / (performance.now() - begin)) * 1_000)
}

async function bareRate(mode: 'pubsub' | 'streams'): Promise<number> {
  const [publisher, subscriber] = [plain.duplicate(), plain.duplicate()]
  let count = 0
  try {
    if (mode === 'pubsub') {
      subscriber.on('messageBuffer', () => count++)
      await subscriber.subscribe(...Array.from({ length: TOPICS }, (_, i) => `bare-${i}`))
      return await rate(
        (n) => publisher.publish(`bare-${n % TOPICS}`, padded(n)),
        () => count,
      )
    }
    void readBare(subscriber, (entries) => (count += entries))
    const add = (n: number): Promise<unknown> =>
      publisher.xadd('bare', '*', 'topic', `bare-${n % TOPICS}`, 'data', padded(n))
    return await rate(add, () => count)
  } finally {
    publisher.disconnect()
    subscriber.disconnect()
  }
}

async function readBare(redis: Redis, came: (entries: number) => void): Promise<void> {
  let id = '0'
  try {
    for (;;) {
      const reply = await redis.xreadBuffer('COUNT', 1_000, 'BLOCK', 5_000, 'STREAMS', 'bare', id)
      const entries = reply?.[0]?.[1] ?? []
      if (entries.length > 0) id = entries.at(-1)![0].toString()
      came(entries.length)
    }
  } catch {
    // The connection was closed.
  }
}

function padded(number: number): Buffer {
  return Buffer.from(String(number).padEnd(100))
}

test.each(['pubsub', 'streams'] as const)(
  'delivers 100,000 messages of 100 bytes in %s, in the order of each topic',
  { timeout: 180_000 },
  async (mode) => {
    const topics = Array.from({ length: TOPICS }, (_, i) => `load-${i}`)
    const messages: IncomingMessage[] = []
    const driver = redisDriver({ connection: broker.url, mode })
    onTestFinished(() => driver.close())
    const receiver = {
      message: (message: IncomingMessage) => void messages.push(message),
      status() {},
    }
    await driver.open(receiver, { replica: 'r', namespace: 'n' })
    for (const topic of topics) await driver.subscribe(topic)
    const bare = await bareRate(mode)
    const own = await rate(
      (n) => driver.publish({ topic: topics[n % TOPICS]!, payload: padded(n) }),
      () => messages.length,
    )
    process.stdout.write(
      `redis ${mode}: ${own} messages/s through the driver, ${bare} bare (${Math.round((own / bare) * 100)}%)\n`,
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

test('leaves no connection behind when it is closed', async () => {
  const before = await connectionCount()
  const drivers = [
    await opened({ connection: broker.url }, 'a', 'b.*'),
    await opened({ connection: broker.url, mode: 'streams' }, 'a'),
  ]
  expect(await connectionCount()).toBe(before + 4)
  for (const { driver } of drivers) await driver.close()
  await until(async () => (await connectionCount()) === before)
  expect(await plain.pubsub('CHANNELS')).toEqual([])
})

test('leaves no connection behind when its process is killed', async () => {
  const before = await connectionCount()
  const script = `
    import { redisDriver } from '@asbru/driver-redis'
    const driver = redisDriver({ connection: '${broker.url}' })
    await driver.open({ message() {}, status() {} }, { replica: 'r', namespace: 'n' })
    await driver.subscribe('news')
    await driver.subscribe('pets.*')
    process.stdout.write('ready')`
  const child = spawn(
    process.execPath,
    ['--conditions=@asbru/source', '--input-type=module', '-e', script],
    {
      cwd: import.meta.dirname,
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  await once(child.stdout, 'data')
  expect(await plain.pubsub('CHANNELS')).toEqual(['news'])
  child.kill('SIGKILL')
  await until(async () => (await connectionCount()) === before)
  expect(await plain.pubsub('CHANNELS')).toEqual([])
  expect(await plain.pubsub('NUMPAT')).toBe(0)
})

async function connectionCount(): Promise<number> {
  return String(await plain.client('LIST'))
    .trim()
    .split('\n').length
}
