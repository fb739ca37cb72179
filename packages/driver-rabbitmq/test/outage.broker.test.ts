import { setTimeout as wait } from 'node:timers/promises'
import { rabbitmqDriver } from '@asbru/driver-rabbitmq'
import type { ConsumeMessage } from 'amqplib'
import { expect, onTestFinished, test } from 'vitest'
import { bytes, opened, until } from './support/opened.ts'
import { rabbitmqUnderTest } from './support/rabbitmq-harness.ts'
import { steadyStream } from './support/steady-stream.ts'

const { broker, channel, plain, proxy, url } = await rabbitmqUnderTest()
// RabbitMQ that is killed right after it made its first stream ever loses it, and nothing tells when it is safe.
await channel.assertQueue('first', { arguments: { 'x-queue-type': 'stream' } })
await wait(2_000)

/** Goes on by itself so soon after the broker is back. */
const BACK_WITHIN_MS = 3_000

/** The numbers that a stream holds, as its own consumer reads them. */
async function numbersIn(stream: string, last: number): Promise<number[]> {
  const numbers: number[] = []
  const reader = await plain.createChannel()
  await reader.prefetch(100)
  const take = (message: ConsumeMessage | null): void => {
    reader.ack(message!)
    if (message!.fields.routingKey === 'steady') numbers.push(Number(message!.content.toString()))
  }
  await reader.consume(stream, take, { arguments: { 'x-stream-offset': 'first' } })
  await until(() => numbers.at(-1)! >= last)
  await reader.close()
  return numbers
}

test.each([0, 5_000, 15_000])(
  'goes on by itself after a SIGKILL and %i ms without RabbitMQ',
  { timeout: 90_000 },
  async (outageMs) => {
    const name = `steady-${outageMs}`
    const exchange = await opened({ connection: url, exchange: name }, 'steady')
    const stream = await opened({ connection: url, exchange: name, stream: { name } }, 'steady')
    const publisher = rabbitmqDriver({ connection: broker.url, exchange: name })
    onTestFinished(() => publisher.close())
    await publisher.open({ message() {}, status() {} }, { replica: 'p', namespace: 'n' })
    const steady = steadyStream((message) => publisher.publish(message), 'steady')
    await until(() => exchange.messages.length > 100 && stream.messages.length > 100)

    await broker.kill()
    await until(() => [exchange, stream].every(({ all }) => all.includes('reconnecting')))
    await wait(outageMs)
    const before = [exchange.messages.length, stream.messages.length] as const
    await broker.start()
    await until(
      () => exchange.messages.length > before[0] && stream.messages.length > before[1],
      BACK_WITHIN_MS,
    )

    await until(() => exchange.messages.length > before[0] + 100)
    await steady.stop()
    const last = steady.accepted.at(-1)!
    await until(() => [exchange, stream].every(({ numbers }) => numbers.at(-1)! >= last))

    expect(stream.numbers).toEqual(await numbersIn(name, last))
    expect(stream.gaps).toEqual([])

    expect(exchange.gaps).toEqual(['gap broker-reconnected'])
    const told = exchange.all.indexOf('gap broker-reconnected')
    expect(told).toBeGreaterThan(exchange.all.indexOf('reconnecting'))
    expect(told).toBeLessThan(exchange.all.indexOf('connected', 1))
    expect(new Set(exchange.numbers).size).toBe(exchange.numbers.length)
    // What the broker confirmed is persistent, and still there.
    expect(new Set(steady.accepted).difference(new Set(exchange.numbers)).size).toBe(0)
  },
)

test.each([
  ['exchange', {}],
  ['stream', { stream: { name: 'cuts' } }],
] as const)(
  'loses, repeats and reports nothing when the connection is cut again and again, %s',
  async (_, mode) => {
    const publisher = await opened({ connection: broker.url })
    const reader = await opened({ connection: url, ...mode }, 'steady')
    const steady = steadyStream((message) => publisher.driver.publish(message), 'steady')
    for (let round = 1; round <= 10; round++) {
      const before = reader.messages.length
      await until(() => reader.messages.length > before + 50)
      proxy.cut()
      await until(() => reader.told('reconnecting') === round)
      await wait(100)
      proxy.resume()
      await until(() => reader.told('connected') === round + 1)
    }
    await steady.stop()
    await until(() => reader.messages.length >= steady.accepted.length)
    expect(reader.numbers).toEqual(steady.accepted)
    expect(reader.gaps).toEqual([])
  },
)

test.each([
  ['exchange', {}],
  ['stream', { stream: { name: 'stalls' } }],
] as const)(
  'notices a link that fell silent, and loses nothing, %s',
  { timeout: 60_000 },
  async (_, mode) => {
    const publisher = await opened({ connection: broker.url })
    const reader = await opened({ connection: url, ...mode }, 'stalled')
    proxy.stall()
    try {
      await publisher.driver.publish({ topic: 'stalled', payload: bytes('missed') })
      await until(() => reader.all.includes('reconnecting'), 30_000)
    } finally {
      proxy.resume()
    }
    await until(() => reader.told('connected') === 2)
    await reader.driver.publish({ topic: 'stalled', payload: bytes('after') })
    await until(() => reader.all.includes('after'))
    const texts = reader.messages.map(({ payload }) => new TextDecoder().decode(payload))
    expect(texts).toEqual(['missed', 'after'])
    expect(reader.gaps).toEqual([])
  },
)

test('delivers in order over a slow network', async () => {
  proxy.delay(100)
  try {
    const reader = await opened({ connection: url }, 'slow')
    await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        reader.driver.publish({ topic: 'slow', payload: bytes(i) }),
      ),
    )
    await until(() => reader.messages.length === 100)
    expect(reader.numbers).toEqual(Array.from({ length: 100 }, (_, i) => i))
  } finally {
    proxy.delay(0)
  }
})

test('fails to open with the reason when RabbitMQ is absent for as long as it was told to wait', async () => {
  await broker.kill()
  try {
    const opening = opened({ connection: broker.url, startTimeoutMs: 300 })
    await expect(opening).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  } finally {
    await broker.start()
  }
})

test('waits for ever for an absent RabbitMQ if it is told to', async () => {
  await broker.kill()
  const opening = opened({ connection: url, startTimeoutMs: 0 }, 'late')
  await wait(1_000)
  await broker.start()
  const { driver, all } = await opening
  await driver.publish({ topic: 'late', payload: bytes('late') })
  await until(() => all.includes('late'))
  expect(all).toEqual(['connected', 'late'])
})
