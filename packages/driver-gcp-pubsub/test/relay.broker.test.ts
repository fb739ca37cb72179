import { startBroker } from '@asbru/brokers'
import { describeRelays, eventsOf, until } from '@asbru/trials'
import { PubSub } from '@google-cloud/pubsub'
import { afterAll, expect, test } from 'vitest'
import { serve } from '../../server/test/support/asbru.ts'

const TOPIC = 'orders.42'
const projectId = 'test'

const broker = await startBroker('gcp-pubsub')
const plain = new PubSub({ projectId, apiEndpoint: broker.url })

afterAll(async () => {
  await plain.close()
  await broker.stop()
})

describeRelays([
  {
    name: 'Pub/Sub',
    args: args(),
    publish: (text) =>
      plain.topic('asbru', { messageOrdering: true }).publishMessage({
        data: Buffer.from(text),
        attributes: { 'asbru-topic': TOPIC },
        orderingKey: TOPIC,
      }),
  },
])

test('a relay over Pub/Sub names events as the publisher does in its attributes', async () => {
  const texts = await eventsOf(await serve(args()), TOPIC, 'paid')
  await plain.topic('asbru').publishMessage({
    data: Buffer.from('yes'),
    attributes: { 'asbru-topic': TOPIC, 'asbru-event': 'paid' },
  })
  await until(() => texts.length === 1)
  expect(texts).toEqual(['yes'])
})

test('a relay over a Pub/Sub topic that was there relays what it carries under its name', async () => {
  const [topic] = await plain.createTopic('invoices')
  const env = { ASBRU_DRIVER__TOPIC: 'invoices', ASBRU_DRIVER__TOPIC_FROM: 'pubsub-topic' }
  const texts = await eventsOf(await serve(args(), { env }), 'invoices')
  await topic.publishMessage({ data: Buffer.from('yes') })
  await until(() => texts.length === 1)
  expect(texts).toEqual(['yes'])
})

test('a relay over Pub/Sub leaves no subscription behind', async () => {
  const before = await subscriptions()
  const { asbru } = await serve(args())
  expect(await subscriptions()).toBe(before + 1)
  asbru.signal('SIGTERM')
  await asbru.ended
  expect(await subscriptions()).toBe(before)
})

test('a relay that finds no Pub/Sub ends with a fault', async () => {
  const down = await startBroker('gcp-pubsub')
  await down.stop()
  await expect(serve([...args(down.url), '--driver.start-timeout-ms', '300'])).rejects.toThrow(
    'UNAVAILABLE',
  )
})

async function subscriptions(): Promise<number> {
  const [all] = await plain.getSubscriptions()
  return all.length
}

function args(url = broker.url): string[] {
  return ['--driver', 'gcp-pubsub', '--driver.url', url, '--driver.project-id', projectId]
}
