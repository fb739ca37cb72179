import { setTimeout as wait } from 'node:timers/promises'
import kafkajs from 'kafkajs'
import { describe, expect, onTestFinished, test } from 'vitest'
import { kafkaUnderTest } from './support/kafka-harness.ts'
import { bytes, opened, until } from './support/opened.ts'
import { recordsOf, steadyStream } from './support/steady-stream.ts'

/** Goes on by itself so soon after the broker is back. */
const BACK_WITHIN_MS = 3_000

describe.each([
  { version: '4.4.0', sessionTimeoutMs: 2_000, outages: [0, 5_000, 15_000] },
  { version: '4.4.0', sessionTimeoutMs: 9_000, outages: [0] },
  { version: '3.9.2', sessionTimeoutMs: 2_000, outages: [0, 15_000] },
])('Kafka $version, missed for $sessionTimeoutMs ms', async ({ outages, ...options }) => {
  const kafka = await kafkaUnderTest(options)
  const { broker } = kafka
  const connection = { brokers: [broker.url] }

  test.each(outages)(
    'goes on by itself after a SIGKILL and %i ms without Kafka, and loses and repeats nothing',
    { timeout: 90_000 },
    async (outageMs) => {
      const topic = `steady-${outageMs}`
      const readers = [await opened({ connection }, topic), await opened({ connection }, topic)]
      const stream = steadyStream(kafka.producer, topic)
      onTestFinished(() => stream.stop())
      await until(() => readers.every(({ messages }) => messages.length > 100))

      await broker.kill()
      await wait(outageMs)
      const before = readers.map(({ messages }) => messages.length)
      await broker.start()
      await until(
        () => readers.every(({ messages }, i) => messages.length > before[i]!),
        BACK_WITHIN_MS,
      )
      await until(() => readers.every(({ messages }, i) => messages.length > before[i]! + 100))
      await stream.stop()
      const last = stream.accepted.at(-1)!
      await until(() => readers.every(({ numbers }) => numbers.at(-1)! >= last))

      // The log decides what was accepted: an answer may have been lost with the connection.
      const log = await recordsOf(kafka.plain, 'asbru', topic, readers[0]!.messages.length)
      const since = log.slice(log.indexOf(String(readers[0]!.numbers[0])))
      for (const reader of readers) {
        expect(reader.numbers.map(String)).toEqual(since)
        expect(reader.gaps).toEqual([])
      }
      expect(new Set(since)).toEqual(new Set([...since, ...stream.accepted.map(String)]))
      const told = readers.map(({ all }) => all.filter((text) => /^[a-z]/.test(text)))
      const expected = ['connected', 'reconnecting', 'connected']
      // A short outage need not be noticed.
      expect(outageMs === 0 ? told.map(() => expected) : told).toEqual([expected, expected])
      for (const { driver } of readers) await driver.close()
    },
  )
})

describe('Kafka that comes and goes', async () => {
  const { broker } = await kafkaUnderTest()
  const connection = { brokers: [broker.url] }

  test('refuses to publish while Kafka is down, and publishes after', async () => {
    const reader = await opened({ connection }, 'again')
    await broker.kill()
    try {
      await expect(
        Promise.race([
          reader.driver.publish({ topic: 'lost', payload: bytes('x') }),
          wait(6_000, 'silent'),
        ]),
      ).rejects.toBeInstanceOf(kafkajs.KafkaJSError)
    } finally {
      await broker.start()
    }
    await reader.driver.publish({ topic: 'again', payload: bytes('again') })
    await until(() => reader.all.includes('again'))
    expect(reader.messages.map(({ topic }) => topic)).toEqual(['again'])
  })

  test('fails to open with the reason when Kafka is absent for as long as it was told to wait', async () => {
    await broker.kill()
    try {
      const opening = opened({ connection, startTimeoutMs: 1_000 })
      await expect(opening).rejects.toThrow('ECONNREFUSED')
    } finally {
      await broker.start()
    }
  })

  test('waits for ever for an absent Kafka if it is told to', async () => {
    await broker.kill()
    const opening = opened({ connection, startTimeoutMs: 0 }, 'late')
    await wait(1_000)
    await broker.start()
    const { driver, all } = await opening
    await driver.publish({ topic: 'late', payload: bytes('late') })
    await until(() => all.includes('late'))
    expect(all).toEqual(['connected', 'late'])
  })
})
