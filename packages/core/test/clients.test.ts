import { EventSource } from 'eventsource'
import { expect, onTestFinished, test, vi } from 'vitest'
import { ClientConnection } from './support/client-connection.ts'
import { ManualClock } from './support/manual-clock.ts'
import { serveStreamer } from './support/serve-streamer.ts'

const TTL = 60_000
const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

test('makes ids that are random UUIDs', async () => {
  const { streamer } = await serveStreamer()
  const clients = await Promise.all(Array.from({ length: 20 }, () => streamer.newClient()))
  for (const { id } of clients) expect(id).toMatch(UUID_V4)
  expect(new Set(clients.map(({ id }) => id)).size).toBe(20)
})

test('takes an id that the application chose', async () => {
  const { streamer, url } = await serveStreamer()
  const id = `A.z_0~-${'x'.repeat(121)}`
  expect((await streamer.newClient({ id })).id).toBe(id)
  const { first } = await ClientConnection.open(url(id))
  expect(first.config.client_id).toBe(id)
})

test('refuses an id that is taken, and leaves its client alone', async () => {
  const { streamer } = await serveStreamer()
  await streamer.newClient({ id: 'taken-by-somebody', topics: ['a'] })
  await expect(
    streamer.newClient({ id: 'taken-by-somebody', topics: ['b'] }),
  ).rejects.toMatchObject({ code: 'CLIENT_EXISTS', message: expect.not.stringContaining('body') })
  expect((await streamer.getClient('taken-by-somebody'))!.topics).toEqual(['a'])
})

test.each(['', 'x'.repeat(129), 'a b', 'a/b', 'ä', 'a\n', 7 as unknown as string])(
  'refuses the id %j',
  async (id) => {
    const { streamer } = await serveStreamer()
    await expect(streamer.newClient({ id })).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    expect(await streamer.totalClients()).toBe(0)
  },
)

test('keeps metadata as it was given', async () => {
  const { streamer } = await serveStreamer()
  const metadata = { user: { id: 7, tags: ['a'] } }
  const { id } = await streamer.newClient({ metadata })
  metadata.user.tags.push('changed later')
  expect((await streamer.getClient(id))!.metadata).toEqual({ user: { id: 7, tags: ['a'] } })
})

test.each([[[]], ['text'], [null], [{ big: 1n }]])(
  'refuses the metadata %s, which is no JSON object',
  async (metadata) => {
    const { streamer } = await serveStreamer()
    await expect(streamer.newClient({ metadata: metadata as never })).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
    })
  },
)

test('gives every client the default topics beside its own, sorted and once', async () => {
  const { streamer, url } = await serveStreamer({ defaultTopics: ['everybody', 'news'] })
  const client = await streamer.newClient({ topics: ['news', 'orders.1'] })
  expect(client.topics).toEqual(['everybody', 'news', 'orders.1'])
  expect(client.totalTopics).toBe(3)
  const connection = await ClientConnection.open(url(client.id))
  expect(connection.first.subscriptions).toEqual(client.topics)
  await streamer.publish('everybody', 'hello')
  expect(await connection.take(1)).toEqual(['everybody: hello'])
})

test('shows a client as it is now: connections, topics, and none once it was removed', async () => {
  const clock = new ManualClock()
  const { streamer, url } = await serveStreamer({ clock })
  const { id, connected } = await streamer.newClient({ ttlMs: 5_000 })
  expect(connected).toBe(false)
  await ClientConnection.open(url(id))
  await streamer.subscribe(id, ['b', 'a'])
  const now = (await streamer.getClient(id))!
  expect(now).toMatchObject({ connected: true, ttlMs: 5_000, topics: ['a', 'b'] })
  expect(now.connections).toEqual([
    { id: expect.any(String), replica: streamer.replica, since: clock.wallTime() },
  ])
  expect(await now.close()).toBe(true)
  expect(await now.close()).toBe(false)
  expect(await streamer.getClient(id)).toBeUndefined()
})

test('ends the connections of a client that is removed, and knows it no more', async () => {
  const { streamer, url } = await serveStreamer()
  const { id } = await streamer.newClient()
  const connection = await ClientConnection.open(url(id))
  expect(await streamer.removeClient(id)).toBe(true)
  expect(await connection.rest()).toEqual(['{"closing":{"reason":"removed"}}'])
  expect((await fetch(url(id))).status).toBe(404)
  expect(await streamer.removeClient(id)).toBe(false)
})

test('lists clients in the order in which they were made, a page at a time', async () => {
  const { streamer } = await serveStreamer()
  const ids = ['e', 'a', 'd', 'b', 'c']
  for (const id of ids) await streamer.newClient({ id })
  const seen: string[] = []
  let after: string | undefined
  do {
    const { items, next } = await streamer.clients({ limit: 2, ...(after && { after }) })
    seen.push(...items.map(({ id }) => id))
    after = next
  } while (after !== undefined)
  expect(seen).toEqual(ids)
  expect(await streamer.totalClients()).toBe(5)
  await expect(streamer.clients({ after: 'nonsense' })).rejects.toMatchObject({
    code: 'INVALID_REQUEST',
  })
})

test('loses no client of a list from which others are removed between two pages', async () => {
  const { streamer } = await serveStreamer()
  for (const id of ['a', 'b', 'c', 'd']) await streamer.newClient({ id })
  const { next } = await streamer.clients({ limit: 2 })
  await streamer.removeClient('a')
  await streamer.removeClient('b')
  const rest = await streamer.clients({ limit: 2, after: next! })
  expect(rest.items.map(({ id }) => id)).toEqual(['c', 'd'])
  expect(rest.next).toBeUndefined()
})

test('lists only clients with a topic, or with a connection, if asked', async () => {
  const { streamer, url } = await serveStreamer()
  await streamer.newClient({ id: 'a', topics: ['news', 'pets.*'] })
  await streamer.newClient({ id: 'b', topics: ['news'] })
  await streamer.newClient({ id: 'c', topics: ['pets.dogs'] })
  await ClientConnection.open(url('b'))
  const idsOf = async (query: object): Promise<string[]> =>
    (await streamer.clients(query)).items.map(({ id }) => id)
  expect(await idsOf({ topic: 'news' })).toEqual(['a', 'b'])
  expect(await idsOf({ topic: 'pets.*' })).toEqual(['a'])
  expect(await idsOf({ connected: true })).toEqual(['b'])
  expect(await idsOf({ connected: false, topic: 'news' })).toEqual(['a'])
})

test('lists topics with how many clients have each, a page at a time', async () => {
  const { streamer } = await serveStreamer()
  await streamer.newClient({ id: 'a', topics: ['news', 'pets.*'] })
  await streamer.newClient({ topics: ['news', 'orders'] })
  expect(await streamer.topics({ limit: 2 })).toEqual({
    items: [
      { topic: 'news', subscribers: 2 },
      { topic: 'orders', subscribers: 1 },
    ],
    next: 'orders',
  })
  expect(await streamer.topics({ after: 'orders' })).toEqual({
    items: [{ topic: 'pets.*', subscribers: 1 }],
  })
  await streamer.removeClient('a')
  expect((await streamer.topics()).items).toEqual([
    { topic: 'news', subscribers: 1 },
    { topic: 'orders', subscribers: 1 },
  ])
})

test('delivers what was published between newClient and the first connection', async () => {
  const { streamer, url } = await serveStreamer()
  await streamer.publish('news', 'too early')
  const { id } = await streamer.newClient({ topics: ['news'] })
  await streamer.publish('news', 'one')
  await streamer.send(id, 'two')
  const connection = await ClientConnection.open(url(id))
  await streamer.publish('news', 'three')
  expect(await connection.take(3)).toEqual(['news: one', 'direct: two', 'news: three'])
})

test('lets a client that never connects expire, and tells of it once', async () => {
  const clock = new ManualClock()
  const onExpire = vi.fn<(event: { client: { id: string } }) => void>()
  const { streamer, url } = await serveStreamer({ clock, clientTtlMs: TTL, onExpire })
  const { id } = await streamer.newClient({ topics: ['news'] })
  clock.advance(TTL - 1)
  expect(await streamer.totalClients()).toBe(1)
  clock.advance(1)
  expect(await streamer.totalClients()).toBe(0)
  expect((await streamer.topics()).items).toEqual([])
  expect(onExpire.mock.calls.map(([{ client }]) => client.id)).toEqual([id])
  expect((await fetch(url(id))).status).toBe(404)
})

test('keeps the topics of a client that comes back in time, and replays what it missed', async () => {
  const clock = new ManualClock()
  const { streamer, url } = await serveStreamer({ clock, clientTtlMs: TTL })
  const { id } = await streamer.newClient({ topics: ['news', 'pets.*'] })
  const before = await ClientConnection.open(url(id))
  await streamer.publish('news', 'one')
  expect(await before.take(1)).toEqual(['news: one'])
  await before.leave(streamer)
  await streamer.publish('pets.dogs', 'two')
  clock.advance(TTL - 1)
  await streamer.publish('news', 'three')
  const after = await ClientConnection.open(url(id), before.cursor)
  expect(after.first.subscriptions).toEqual(['news', 'pets.*'])
  expect(await after.take(2)).toEqual(['pets.*: two', 'news: three'])
  clock.advance(10 * TTL)
  await streamer.publish('news', 'four')
  expect(await after.take(1)).toEqual(['news: four'])
})

test('counts the TTL anew from each disconnect', async () => {
  const clock = new ManualClock()
  const { streamer, url } = await serveStreamer({ clock, clientTtlMs: TTL })
  const { id } = await streamer.newClient()
  for (let round = 0; round < 3; round++) {
    clock.advance(TTL - 1)
    const connection = await ClientConnection.open(url(id))
    clock.advance(2 * TTL)
    await connection.leave(streamer)
  }
  clock.advance(TTL - 1)
  expect(await streamer.totalClients()).toBe(1)
  clock.advance(1)
  expect(await streamer.totalClients()).toBe(0)
})

test('gives every connection of a client every event', async () => {
  const { streamer, url } = await serveStreamer()
  const { id } = await streamer.newClient({ topics: ['news'] })
  const tabs = [await ClientConnection.open(url(id)), await ClientConnection.open(url(id))]
  for (let i = 0; i < 10; i++) await streamer.publish('news', String(i))
  const expected = Array.from({ length: 10 }, (_, i) => `news: ${i}`)
  for (const tab of tabs) expect(await tab.take(10)).toEqual(expected)
})

test('starts no TTL while another connection of the client is open', async () => {
  const clock = new ManualClock()
  const { streamer, url } = await serveStreamer({ clock, clientTtlMs: TTL })
  const { id } = await streamer.newClient({ topics: ['news'] })
  const leaving = await ClientConnection.open(url(id))
  const staying = await ClientConnection.open(url(id))
  await leaving.leave(streamer)
  clock.advance(10 * TTL)
  await streamer.publish('news', 'still here')
  expect(await staying.take(1)).toEqual(['news: still here'])
})

test('closes the oldest connection past the cap, which comes back after an hour', async () => {
  const { streamer, url } = await serveStreamer({ maxConnectionsPerClient: 2 })
  const { id } = await streamer.newClient({ topics: ['news'] })
  const oldest = await ClientConnection.open(url(id))
  const others = [await ClientConnection.open(url(id)), await ClientConnection.open(url(id))]
  expect(await oldest.rest()).toEqual(['{"closing":{"reason":"too-many-connections"}}'])
  expect(oldest.reader.retries.at(-1)).toBe(3_600_000)
  await streamer.publish('news', 'hello')
  for (const other of others) expect(await other.take(1)).toEqual(['news: hello'])
  expect((await streamer.getClient(id))!.connections).toHaveLength(2)
})

test('settles after one eviction when one EventSource more than the cap is open', async () => {
  const onConnect = vi.fn<() => void>()
  const { streamer, url } = await serveStreamer({
    maxConnectionsPerClient: 2,
    retryMs: 20,
    onConnect,
  })
  const { id } = await streamer.newClient({ topics: ['news'] })
  const heard = [0, 0, 0]
  const closings: string[] = []
  for (const tab of heard.keys()) {
    const source = new EventSource(url(id))
    onTestFinished(() => source.close())
    source.addEventListener('news', () => heard[tab]!++)
    source.addEventListener('message', ({ data }) => {
      if (String(data).includes('closing')) closings.push(String(data))
    })
    await vi.waitFor(() => expect(onConnect).toHaveBeenCalledTimes(tab + 1))
  }
  // Many times longer than a tab that pushes back would wait.
  for (let i = 1; i <= 20; i++) {
    await streamer.publish('news', String(i))
    await vi.waitFor(() => expect(heard).toEqual([0, i, i]))
  }
  expect(closings).toEqual(['{"closing":{"reason":"too-many-connections"}}'])
  expect(onConnect).toHaveBeenCalledTimes(3)
})
