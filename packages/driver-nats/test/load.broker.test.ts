import { type BareClient, bytes, describeRates, describeSubscriptions } from '@asbru/trials'
import { connect, DeliverPolicy } from 'nats'
import { natsUnderTest, natsWay } from './support/nats-under-test.ts'

const nats = await natsUnderTest()
const { connection: plain } = nats.plain
const manager = await plain.jetstreamManager()
const core = natsWay(nats, 'core subjects', {})
const stream = natsWay(nats, 'JetStream', { jetstream: { stream: 'EVENTS' } })

describeSubscriptions([
  { way: core, remains: interestIn },
  { way: stream, remains: async () => (await manager.consumers.list('EVENTS').next()).length },
])

describeRates([
  { way: core, bare: bareCore },
  { way: stream, bare: bareStream },
])

/** The topics that anybody is subscribed to: the server refuses requests to all others at once. */
async function interestIn(topics: readonly string[]): Promise<string[]> {
  const answers = await Promise.all(
    topics.map(async (topic) => {
      const subject = topic.replace('.**', '.x')
      const code = await plain.request(subject, bytes(''), { timeout: 5_000 }).then(
        () => '',
        (error: { code?: string }) => error.code,
      )
      return code === '503' ? [] : [topic]
    }),
  )
  return answers.flat()
}

/** Waits for the server once for all that it publishes together. */
async function bareCore(take: (payload: Uint8Array) => void): Promise<BareClient> {
  const [publisher, subscriber] = [await connectPlain(), await connectPlain()]
  subscriber.subscribe('bare.*', { callback: (_, { data }) => take(data) })
  await subscriber.flush()
  return {
    async publish(messages) {
      for (const { topic, payload } of messages) publisher.publish(`bare.${topic}`, payload)
      await publisher.flush()
    },
    close: () => Promise.all([publisher.close(), subscriber.close()]),
  }
}

/** Waits for the stream to store each message. */
async function bareStream(take: (payload: Uint8Array) => void): Promise<BareClient> {
  await manager.streams.add({ name: 'BARE', subjects: ['stored.*'] })
  const [publisher, subscriber] = [await connectPlain(), await connectPlain()]
  const start = { filterSubjects: 'stored.*', deliver_policy: DeliverPolicy.New }
  const consumer = await subscriber.jetstream().consumers.get('BARE', start)
  await consumer.consume({ callback: ({ data }) => take(data) })
  const jetstream = publisher.jetstream()
  return {
    publish: (messages) =>
      Promise.all(
        messages.map(({ topic, payload }) => jetstream.publish(`stored.${topic}`, payload)),
      ),
    close: () => Promise.all([publisher.close(), subscriber.close()]),
  }
}

function connectPlain(): ReturnType<typeof connect> {
  return connect({ servers: nats.broker.url })
}
