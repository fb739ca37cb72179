import { type BareClient, describeRates, describeSubscriptions } from '@asbru/trials'
import { expect, test } from 'vitest'
import { kafkaUnderTest, kafkaWay } from './support/kafka-harness.ts'
import { opened, until } from './support/opened.ts'

const kafka = await kafkaUnderTest()
const { admin, broker, plain, producer } = kafka
const way = kafkaWay(kafka)

describeSubscriptions([
  {
    way,
    async remains() {
      const { groups } = await admin.listGroups()
      return [(await admin.listTopics()).toSorted(), groups.length]
    },
  },
])

test('keeps of a small payload no more than its own bytes and a small share of others', async () => {
  const reader = await opened({ connection: { brokers: [broker.url] } }, 'news')
  const messages = Array.from({ length: 500 }, (_, i) => ({
    key: 'news',
    value: String(i).padEnd(100),
  }))
  await producer.send({ topic: 'asbru', messages })
  await until(() => reader.messages.length === 500)
  for (const { payload } of reader.messages)
    expect(payload.buffer.byteLength).toBeLessThanOrEqual(Buffer.poolSize)
})

describeRates([{ way, bare: bareClient }])

/** Sends what is published together in one request, as the driver does. */
async function bareClient(take: (payload: Uint8Array) => void): Promise<BareClient> {
  await admin.createTopics({ topics: [{ topic: 'bare', numPartitions: 4 }] })
  const consumer = plain.consumer({ groupId: 'bare', maxWaitTimeInMs: 100 })
  await consumer.connect()
  await consumer.subscribe({ topics: ['bare'], fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    async eachBatch({ batch }) {
      for (const { value } of batch.messages) take(value!)
    },
  })
  return {
    publish: (messages) =>
      producer.send({
        topic: 'bare',
        messages: messages.map(({ topic, payload }) => ({ key: topic, value: payload })),
      }),
    close: () => consumer.disconnect(),
  }
}
