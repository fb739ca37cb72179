/** Publishes an order each second with the client of Cloud Pub/Sub, as any program of yours might. */
import { setInterval } from 'node:timers/promises'
import { PubSub } from '@google-cloud/pubsub'

// The client itself reads PUBSUB_EMULATOR_HOST.
const asbru = new PubSub({ projectId: 'asbru' }).topic('asbru', { messageOrdering: true })

let number = 0
for await (const _ of setInterval(1_000)) {
  number += 1
  const topic = number % 2 === 0 ? 'orders.us' : 'orders.eu'
  // `asbru-event` is the name of the event in the browser; without it, that would be what the client
  // subscribed to.
  await asbru.publishMessage({
    json: { number, topic },
    attributes: { 'asbru-topic': topic, 'asbru-event': 'order' },
    orderingKey: topic,
  })
  console.log(`published ${number} to ${topic}`)
}
