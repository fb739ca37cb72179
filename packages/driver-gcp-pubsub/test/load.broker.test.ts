import { type BareClient, describeRates, describeSubscriptions } from '@asbru/trials'
import type { Message } from '@google-cloud/pubsub'
import { pubsubUnderTest, pubsubWay } from './support/pubsub-under-test.ts'

const pubsub = await pubsubUnderTest()
const { plain, subscriptions } = pubsub
const way = pubsubWay(pubsub)

// The fake hands out some hundred messages a second.
describeSubscriptions([{ way, remains: subscriptions, messages: 300 }])
describeRates([{ way, bare: bareClient, messages: 5_000 }])

/** The client alone, with ordering and the same number of keys. */
async function bareClient(take: (payload: Uint8Array) => void): Promise<BareClient> {
  const [topic] = await plain.createTopic('bare')
  topic.setPublishOptions({ messageOrdering: true, batching: { maxMilliseconds: 0 } })
  await topic.createSubscription('bare', { enableMessageOrdering: true })
  const subscription = plain.subscription('bare', { batching: { maxMilliseconds: 5 } })
  const seen = new Set<string>()
  subscription.on('error', () => {})
  subscription.on('message', (message: Message) => {
    // It may come again.
    if (!seen.has(message.id)) take(message.data)
    seen.add(message.id)
    message.ack()
  })
  return {
    publish: (messages) =>
      Promise.all(
        messages.map((each) =>
          topic.publishMessage({ data: each.payload, orderingKey: each.topic }),
        ),
      ),
    async close() {
      await subscription.close()
      await subscription.delete()
    },
  }
}
