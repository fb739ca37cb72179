import { type BareClient, describeRates, describeSubscriptions, rateTopics } from '@asbru/trials'
import type { Redis } from 'ioredis'
import { redisUnderTest, redisWay } from './support/redis-harness.ts'

const redis = await redisUnderTest()
const { plain } = redis
const [pubsub, streams] = [redisWay(redis, 'pubsub'), redisWay(redis, 'streams')]

/** What pub/sub holds for all of Redis' clients. */
async function remains(): Promise<unknown> {
  return [await plain.pubsub('CHANNELS'), await plain.pubsub('NUMPAT')]
}

describeSubscriptions([
  {
    way: pubsub,
    remains,
    held: async () => (await plain.pubsub('CHANNELS')).length,
  },
  { way: streams, remains },
])

describeRates([
  { way: pubsub, bare: barePubsub },
  { way: streams, bare: bareStream },
])

async function barePubsub(take: (payload: Uint8Array) => void): Promise<BareClient> {
  const [publisher, subscriber] = [plain.duplicate(), plain.duplicate()]
  subscriber.on('messageBuffer', (_, payload: Buffer) => take(payload))
  await subscriber.subscribe(...rateTopics.map(bareName))
  return {
    publish: (messages) =>
      Promise.all(
        messages.map(({ topic, payload }) => publisher.publish(bareName(topic), payload)),
      ),
    close: async () => disconnect(publisher, subscriber),
  }
}

async function bareStream(take: (payload: Uint8Array) => void): Promise<BareClient> {
  const [publisher, subscriber] = [plain.duplicate(), plain.duplicate()]
  const reading = readAll(subscriber, take)
  return {
    publish: (messages) =>
      Promise.all(
        messages.map(({ topic, payload }) =>
          publisher.xadd('bare', '*', 'topic', topic, 'data', payload),
        ),
      ),
    async close() {
      disconnect(publisher, subscriber)
      await reading
    },
  }
}

/** Reads the stream `bare` until the connection is closed. */
async function readAll(subscriber: Redis, take: (payload: Uint8Array) => void): Promise<void> {
  let id = '0'
  try {
    for (;;) {
      const reply = await subscriber.xreadBuffer(
        'COUNT',
        1_000,
        'BLOCK',
        5_000,
        'STREAMS',
        'bare',
        id,
      )
      const entries = reply?.[0]?.[1] ?? []
      if (entries.length > 0) id = entries.at(-1)![0].toString()
      for (const [, fields] of entries) take(fields[3]!)
    }
  } catch {
    // The connection was closed.
  }
}

/** Apart from what the driver reads. */
function bareName(topic: string): string {
  return `bare-${topic}`
}

function disconnect(...clients: readonly Redis[]): void {
  for (const client of clients) client.disconnect()
}
