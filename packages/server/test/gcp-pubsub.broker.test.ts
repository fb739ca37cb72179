import { type Broker, startBroker } from '@asbru/brokers'
import { PubSub } from '@google-cloud/pubsub'
import { EventSource } from 'eventsource'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { post, serve } from './support/asbru.ts'

const TOPIC = 'orders.42'
const NUMBERS = Array.from({ length: 200 }, (_, i) => String(i))
const projectId = 'test'

let broker: Broker
let plain: PubSub

beforeAll(async () => {
  broker = await startBroker('gcp-pubsub')
  plain = new PubSub({ projectId, apiEndpoint: broker.url })
})

afterAll(async () => {
  await plain.close()
  await broker.stop()
})

test('two relays over Pub/Sub give every event of a plain publisher to the clients of both, in order', async () => {
  const [one, other] = await Promise.all([relay(), relay()])
  const clients = [await client(one), await client(other), await client(other, 'orders.*')]
  const topic = plain.topic('asbru', { messageOrdering: true })
  const publishing = NUMBERS.map((number) =>
    topic.publishMessage({
      data: Buffer.from(number),
      attributes: { 'asbru-topic': TOPIC },
      orderingKey: TOPIC,
    }),
  )
  await Promise.all(publishing)
  for (const each of clients) expect(await each.first(NUMBERS.length)).toEqual(NUMBERS)
})

test('two relays over Pub/Sub give what one of them is asked to publish to the clients of both', async () => {
  const [one, other] = await Promise.all([relay(), relay()])
  const clients = [await client(one), await client(other)]
  for (const { api } of [one, other]) await post(`${api}/topics/${TOPIC}/messages`, { from: api })
  for (const each of clients) {
    expect(await each.first(2)).toEqual([one, other].map(({ api }) => `{"from":"${api}"}`))
  }
})

test('a relay over Pub/Sub names events as the publisher does in its attributes', async () => {
  const { first } = await client(await relay(), TOPIC, 'paid')
  await plain.topic('asbru').publishMessage({
    data: Buffer.from('yes'),
    attributes: { 'asbru-topic': TOPIC, 'asbru-event': 'paid' },
  })
  expect(await first(1)).toEqual(['yes'])
})

test('a relay over a Pub/Sub topic that was there relays what it carries under its name', async () => {
  const [topic] = await plain.createTopic('invoices')
  const env = { ASBRU_DRIVER__TOPIC: 'invoices', ASBRU_DRIVER__TOPIC_FROM: 'pubsub-topic' }
  const { first } = await client(await relay(env), 'invoices')
  await topic.publishMessage({ data: Buffer.from('yes') })
  expect(await first(1)).toEqual(['yes'])
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

function relay(
  env: Readonly<Record<string, string>> = {},
): Promise<{ events: string; api: string }> {
  return serve(args(), { env })
}

/** An EventSource on a relay, for a client that was made there. */
async function client(
  { events, api }: { events: string; api: string },
  topic = TOPIC,
  event = topic,
): Promise<{ first: (count: number) => Promise<string[]> }> {
  const { id } = await post(`${api}/clients`, { topics: [topic] })
  const source = new EventSource(`${events}?id=${id}`)
  onTestFinished(() => source.close())
  const got: string[] = []
  let check: (() => void) | undefined
  source.addEventListener(event, ({ data }) => {
    got.push(String(data))
    check?.()
  })
  await new Promise((resolve) => {
    source.addEventListener('message', resolve, { once: true })
  })
  return {
    first: (count) =>
      new Promise((resolve) => {
        check = () => {
          if (got.length >= count) resolve(got)
        }
        check()
      }),
  }
}
