import { describe, expect, onTestFinished, test } from 'vitest'
import { kafkaUnderTest, throughProxy } from './support/kafka-harness.ts'
import { bytes, opened, until } from './support/opened.ts'

describe.each(['4.4.0', '3.9.2'])('Kafka %s', async (version) => {
  const kafka = await kafkaUnderTest({ version })
  const { admin, broker, plain, producer } = kafka
  const connection = { brokers: [broker.url] }
  let count = 0

  /** A Kafka topic with one partition, of its own. */
  async function kafkaTopic(numPartitions = 1): Promise<string> {
    const topic = `topic-${++count}`
    await admin.createTopics({ topics: [{ topic, numPartitions }] })
    return topic
  }

  /** Numbers from `first` to before `end`, for the Asbru topic `news`. */
  async function send(topic: string, first: number, end: number, partition = 0): Promise<void> {
    const messages = Array.from({ length: end - first }, (_, i) => ({
      key: 'news',
      value: String(first + i),
      partition,
    }))
    const sent = await producer.send({ topic, messages })
    expect(sent).not.toEqual([])
  }

  test('begins at the end as it was when it was opened, and misses nothing after', async () => {
    const topic = await kafkaTopic(4)
    await send(topic, 0, 50)
    let sent = 50
    const over = new AbortController()
    const sending = (async () => {
      for (; !over.signal.aborted; sent++) await send(topic, sent, sent + 1)
    })()
    for (let round = 0; round < 5; round++) {
      const reader = await opened({ connection, topics: [topic] }, 'news')
      const since = sent
      await until(() => reader.numbers.at(-1)! > since)
      const first = reader.numbers[0]!
      expect(first).toBeGreaterThanOrEqual(50)
      expect(first).toBeLessThanOrEqual(since)
      expect(reader.numbers).toEqual(reader.numbers.map((_, i) => first + i))
      await reader.driver.close()
    }
    over.abort()
    await sending
  })

  test('reads partitions that are added from their beginning', { timeout: 60_000 }, async () => {
    const topic = await kafkaTopic()
    const reader = await opened({ connection, topics: [topic] }, 'news')
    await send(topic, 0, 10)
    await until(() => reader.messages.length === 10)
    await admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] })
    await until(async () => {
      const sent = await producer
        .send({ topic, messages: [{ key: 'news', value: '10', partition: 2 }] })
        .catch(() => [])
      return sent.length > 0
    })
    await send(topic, 11, 20, 2)
    await send(topic, 20, 30, 0)
    await until(() => reader.messages.length >= 30)
    expect(reader.numbers.toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 30 }, (_, i) => i),
    )
    expect(new Set(reader.messages.map(({ position }) => position!.log))).toEqual(
      new Set([`${topic}-0`, `${topic}-2`]),
    )
    expect(reader.gaps).toEqual([])
  })

  test('tells a gap where records were deleted before it read them', async () => {
    const topic = await kafkaTopic()
    await send(topic, 0, 1)
    const reader = await opened({ connection: throughProxy(kafka), topics: [topic] }, 'news')
    await send(topic, 1, 5)
    await until(() => reader.messages.length === 4)
    kafka.proxy.cut()
    await until(() => reader.told('reconnecting') === 1)
    await send(topic, 5, 15)
    await admin.fetchTopicOffsets(topic)
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '12' }] })
    kafka.proxy.resume()
    await until(() => reader.messages.length >= 7)
    const gap = reader.all.indexOf('gap log-trimmed')
    expect(reader.gaps).toEqual(['log-trimmed'])
    expect(reader.numbers).toEqual([1, 2, 3, 4, 12, 13, 14])
    expect(reader.begins).toEqual([0, 11])
    expect(reader.all.slice(gap + 1).filter((text) => /^\d/.test(text))).toEqual(['12', '13', '14'])
  })

  test('tells no gap where only records were deleted that it had read', async () => {
    const topic = await kafkaTopic()
    const reader = await opened({ connection: throughProxy(kafka), topics: [topic] }, 'news')
    await send(topic, 0, 5)
    await until(() => reader.messages.length === 5)
    kafka.proxy.cut()
    await until(() => reader.told('reconnecting') === 1)
    await admin.fetchTopicOffsets(topic)
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '5' }] })
    kafka.proxy.resume()
    await send(topic, 5, 8)
    await until(() => reader.messages.length >= 8)
    expect(reader.numbers).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    expect(reader.gaps).toEqual([])
  })

  test('takes records that a transaction leaves out for no loss', async () => {
    const topic = await kafkaTopic()
    const reader = await opened({ connection, topics: [topic] }, 'news')
    const writer = plain.producer({
      transactionalId: `tx-${topic}`,
      maxInFlightRequests: 1,
      idempotent: true,
    })
    await writer.connect()
    onTestFinished(() => writer.disconnect())
    for (const [value, isKept] of [
      ['0', true],
      ['x', false],
      ['1', true],
    ] as const) {
      const transaction = await writer.transaction()
      await transaction.send({ topic, messages: [{ key: 'news', value }] })
      await (isKept ? transaction.commit() : transaction.abort())
    }
    await send(topic, 2, 3)
    await until(() => reader.messages.length >= 3)
    expect(reader.all).toEqual(['connected', '0', '1', '2'])
  })

  test.each([3, 10, 40])(
    'reads a topic that was deleted and made again with %i records from its beginning, and tells a gap',
    { timeout: 60_000 },
    async (records) => {
      const topic = await kafkaTopic()
      await send(topic, 0, 2)
      const reader = await opened({ connection, topics: [topic] }, 'news')
      await send(topic, 2, 10)
      await until(() => reader.messages.length === 8)
      await admin.deleteTopics({ topics: [topic] })
      await until(async () => {
        await admin.createTopics({ topics: [{ topic, numPartitions: 1 }] }).catch(() => false)
        return (await admin.listTopics()).includes(topic)
      })
      await until(() =>
        send(topic, 100, 100 + records).then(
          () => true,
          () => false,
        ),
      )
      await until(() => reader.messages.length >= 8 + records)
      expect(reader.gaps).toEqual(['log-changed'])
      const told = reader.all.indexOf('gap log-changed')
      expect(reader.all.slice(told + 1).filter((text) => /^\d/.test(text))).toEqual(
        Array.from({ length: records }, (_, i) => String(100 + i)),
      )
      await reader.driver.publish({ topic: 'news', payload: bytes('7') })
      await until(() => reader.numbers.at(-1) === 7)
    },
  )
})
