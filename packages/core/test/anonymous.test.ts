import { EventSource } from 'eventsource'
import { expect, onTestFinished, test, vi } from 'vitest'
import { ClientConnection } from './support/client-connection.ts'
import { type ServedStreamer, serveStreamer } from './support/serve-streamer.ts'

const anonymous = { topics: ['news', 'pets.**'] }

function urlOf({ origin }: ServedStreamer, ...topics: string[]): string {
  return `${origin}/events?${topics.map((topic) => `topic=${topic}`).join('&')}`
}

test('refuses a connection without an id unless anonymous clients are switched on', async () => {
  const served = await serveStreamer()
  const response = await fetch(urlOf(served, 'news'))
  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({ code: 'client-id-required' })
})

test('makes a client for the connection, which ends with it', async () => {
  const served = await serveStreamer({ anonymous, defaultTopics: ['everybody'] })
  const { streamer } = served
  const connection = await ClientConnection.open(urlOf(served, 'news', 'pets.dogs'))
  const { config, subscriptions } = connection.first
  expect(subscriptions).toEqual(['everybody', 'news', 'pets.dogs'])
  expect(config.client_ttl_millis).toBe(0)
  expect((await streamer.getClient(config.client_id))!.connected).toBe(true)
  await streamer.publish('pets.dogs', 'woof')
  expect(await connection.take(1)).toEqual(['pets.dogs: woof'])
  await connection.leave(streamer)
  await vi.waitFor(async () => expect(await streamer.totalClients()).toBe(0))
})

test('takes no topics, which come later', async () => {
  const served = await serveStreamer({ anonymous })
  const connection = await ClientConnection.open(`${served.origin}/events`)
  expect(connection.first.subscriptions).toEqual([])
  await served.streamer.subscribe(connection.first.config.client_id, 'orders.1')
  await served.streamer.publish('orders.1', 'paid')
  expect(await connection.take(2)).toEqual(['{"subscriptions":["orders.1"]}', 'orders.1: paid'])
})

test.each([
  ['orders.1', 403, 'forbidden'],
  ['**', 403, 'forbidden'],
  ['new*', 422, 'invalid-topic'],
  ['', 422, 'invalid-topic'],
])('answers a connection that asks for the topic %j with %i', async (topic, status, code) => {
  const served = await serveStreamer({ anonymous })
  const response = await fetch(urlOf(served, 'news', encodeURIComponent(topic)))
  expect([response.status, await response.json()]).toEqual([
    status,
    expect.objectContaining({ code }),
  ])
  expect(await served.streamer.totalClients()).toBe(0)
})

test('leaves no client behind when authorizeConnection refuses', async () => {
  const served = await serveStreamer({ anonymous, authorizeConnection: () => false })
  expect((await fetch(urlOf(served, 'news'))).status).toBe(403)
  expect(await served.streamer.totalClients()).toBe(0)
})

test('resumes by the cursor alone at the same address', async () => {
  const served = await serveStreamer({ anonymous, lingerMs: 10_000 })
  const { streamer } = served
  const before = await ClientConnection.open(urlOf(served, 'news'))
  await streamer.publish('news', '1')
  expect(await before.take(1)).toEqual(['news: 1'])
  await before.leave(streamer)
  await streamer.publish('news', '2')
  await streamer.publish('pets.dogs', 'never asked for')
  const after = await ClientConnection.open(urlOf(served, 'news'), before.cursor)
  expect(after.first.config.client_id).not.toBe(before.first.config.client_id)
  await streamer.publish('news', '3')
  expect(await after.take(2)).toEqual(['news: 2', 'news: 3'])
})

test('tells a gap to one that comes back after its topics were left at the broker', async () => {
  const served = await serveStreamer({ anonymous, lingerMs: 0 })
  const { streamer } = served
  const before = await ClientConnection.open(urlOf(served, 'news'))
  await streamer.publish('news', '1')
  await before.take(1)
  await before.leave(streamer)
  await vi.waitFor(async () => expect((await streamer.status()).brokerSubscriptions).toBe(1))
  await streamer.publish('news', 'lost')
  const after = await ClientConnection.open(urlOf(served, 'news'), before.cursor)
  await streamer.publish('news', '2')
  expect(await after.take(2)).toEqual([
    '{"gap":{"reason":"window-exceeded","topics":["news"]}}',
    'news: 2',
  ])
})

test('loses nothing with an EventSource whose connection is cut again and again', async () => {
  const served = await serveStreamer({ anonymous, lingerMs: 10_000, retryMs: 20 })
  const { streamer } = served
  const heard: string[] = []
  const source = new EventSource(urlOf(served, 'news'))
  onTestFinished(() => source.close())
  source.addEventListener('news', ({ data }) => void heard.push(String(data)))
  await vi.waitFor(async () => expect((await streamer.status()).connections).toBe(1))
  const sent: string[] = []
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < 10; i++) {
      sent.push(String(sent.length))
      await streamer.publish('news', sent.at(-1)!)
    }
    await vi.waitFor(() => expect(heard).toContain(sent.at(-1)), { timeout: 10_000 })
    served.cut()
  }
  expect(heard).toEqual(sent)
})
