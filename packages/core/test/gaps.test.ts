import { expect, test, vi } from 'vitest'
import type { ClientStoreHost } from '../src/clients/client-store.ts'
import { memoryClientStore } from '../src/clients/memory-client-store.ts'
import { replicatedClientStore } from '../src/cluster/replicated-client-store.ts'
import { sealed, unsealed } from '../src/events/cursor.ts'
import type { StreamerOptions } from '../src/index.ts'
import { ClientConnection } from './support/client-connection.ts'
import { ManualClock } from './support/manual-clock.ts'
import { type ScriptedDriver, scriptedDriver, textMessage } from './support/scripted-driver.ts'
import { serveStreamer } from './support/serve-streamer.ts'

const failed = (topic: string): unknown =>
  JSON.stringify({
    error: {
      topic,
      code: 'subscription-failure',
      message: 'The broker does not deliver this topic now; it is asked again.',
    },
  })

test.each([
  [sealed('1.nobody.0.5'), 'replica-started', 'news: before'],
  ['2.of-a-later-version', 'cursor-unknown'],
  ['nonsense', 'cursor-unknown'],
  ['1.x', 'cursor-unknown'],
])(
  'tells a gap for the cursor %j, of which it knows nothing: %s',
  async (cursor, reason, ...left) => {
    const { streamer, url } = await serveStreamer()
    const { id } = await streamer.newClient({ topics: ['news'] })
    await streamer.publish('news', 'before')
    const connection = await ClientConnection.open(url(id), cursor)
    expect(connection.cursor).toBe(cursor)
    await streamer.publish('news', 'after')
    const expected = [`{"gap":{"reason":"${reason}"}}`, ...left, 'news: after']
    expect(await connection.take(expected.length)).toEqual(expected)
  },
)

test('tells a gap for a cursor of its own that lies in the future', async () => {
  const { streamer, url } = await serveStreamer()
  const { id } = await streamer.newClient({ topics: ['news'] })
  const { cursor } = await ClientConnection.open(url(id))
  const connection = await ClientConnection.open(url(id), sealed(`${unsealed(cursor!)!}9`))
  expect(await connection.take(1)).toEqual(['{"gap":{"reason":"cursor-unknown"}}'])
})

test('does not send back a cursor that could not be one', async () => {
  const { streamer, url } = await serveStreamer()
  const { id } = await streamer.newClient()
  for (const cursor of ['a b', 'x'.repeat(513), '<script>']) {
    const connection = await ClientConnection.open(url(id), cursor)
    expect(connection.cursor).toBeUndefined()
    expect(await connection.take(1)).toEqual(['{"gap":{"reason":"cursor-unknown"}}'])
  }
})

test('goes on from the gap: its cursor resumes what came after', async () => {
  const { streamer, url } = await serveStreamer()
  const { id } = await streamer.newClient({ topics: ['news'] })
  const connection = await ClientConnection.open(url(id), 'nonsense')
  await connection.take(1)
  const { cursor } = connection
  await connection.leave(streamer)
  await streamer.publish('news', 'missed')
  const back = await ClientConnection.open(url(id), cursor)
  expect(await back.take(1)).toEqual(['news: missed'])
})

test('tells window-exceeded, then what is left, to a client of whose topics something was dropped', async () => {
  const { streamer, url } = await serveStreamer({ windowBytes: 10_000 })
  const { id } = await streamer.newClient({ topics: ['busy', 'pets.*'] })
  const connection = await ClientConnection.open(url(id))
  const { cursor } = connection
  for (let i = 0; i < 100; i++) await streamer.publish('busy', String(i))
  const back = await ClientConnection.open(url(id), cursor)
  const [gap, ...rest] = await back.takeUntil('99')
  expect(gap).toBe('{"gap":{"reason":"window-exceeded"}}')
  const first = 100 - rest.length
  expect(first).toBeGreaterThan(0)
  expect(rest).toEqual(Array.from(rest, (_, i) => `busy: ${first + i}`))
})

test('tells no gap to a client that was quiet while others filled the window', async () => {
  const { streamer, url } = await serveStreamer({ windowBytes: 10_000 })
  const { id } = await streamer.newClient({ topics: ['quiet', 'pets.*'] })
  const busy = await streamer.newClient({ topics: ['busy'] })
  const { cursor } = await ClientConnection.open(url(id))
  for (let i = 0; i < 100; i++) await streamer.publish('busy', String(i))
  for (let i = 0; i < 100; i++) await streamer.send(busy.id, String(i))
  await streamer.publish('pets.dogs', 'woof')
  const back = await ClientConnection.open(url(id), cursor)
  expect(await back.take(1)).toEqual(['pets.*: woof'])
})

test('tells a gap when what a pattern matches, or what was sent to the client, was dropped', async () => {
  const { streamer, url } = await serveStreamer({ windowBytes: 10_000 })
  const byPattern = await streamer.newClient({ topics: ['pets.**'] })
  const direct = await streamer.newClient()
  await streamer.newClient({ topics: ['busy'] })
  await streamer.publish('pets.dogs.corgi', 'lost')
  await streamer.send(direct.id, 'lost')
  for (let i = 0; i < 100; i++) await streamer.publish('busy', String(i))
  for (const { id } of [byPattern, direct]) {
    const connection = await ClientConnection.open(url(id))
    expect(await connection.take(1)).toEqual(['{"gap":{"reason":"window-exceeded"}}'])
  }
})

test('tells no gap for what was dropped before the client had the topic', async () => {
  const { streamer, url } = await serveStreamer({ windowBytes: 10_000 })
  const { id } = await streamer.newClient()
  await streamer.newClient({ topics: ['busy'] })
  const { cursor } = await ClientConnection.open(url(id))
  for (let i = 0; i < 100; i++) await streamer.publish('busy', String(i))
  await streamer.subscribe(id, 'busy')
  await streamer.publish('busy', 'mine')
  const back = await ClientConnection.open(url(id), cursor)
  expect(await back.take(1)).toEqual(['busy: mine'])
})

test('drops what is older than the window, and tells of it', async () => {
  const clock = new ManualClock()
  const { streamer, url } = await serveStreamer({
    clock,
    clientTtlMs: 1_000_000,
    windowMs: 10_000,
  })
  const { id } = await streamer.newClient({ topics: ['news'] })
  await streamer.publish('news', 'old')
  clock.advance(9_000)
  await streamer.publish('news', 'new')
  clock.advance(2_000)
  expect((await streamer.status()).window.messages).toBe(1)
  const connection = await ClientConnection.open(url(id))
  expect(await connection.take(2)).toEqual(['{"gap":{"reason":"window-exceeded"}}', 'news: new'])
})

test('passes a gap of the driver to live connections, and to those that resume across it', async () => {
  const driver = scriptedDriver()
  const { streamer, url } = await serveStreamer({ driver })
  await streamer.newClient({ id: 'a', topics: ['a'] })
  await streamer.newClient({ id: 'b', topics: ['b'] })
  const live = await ClientConnection.open(url('a'))
  const away = await ClientConnection.open(url('b'))
  await away.leave(streamer)
  await streamer.publish('b', 'before')
  driver.tell({ type: 'gap', reason: 'broker-reconnected' })
  await streamer.publish('a', 'after')
  await streamer.publish('b', 'after')
  const gap = '{"gap":{"reason":"broker-reconnected"}}'
  expect(await live.take(2)).toEqual([gap, 'a: after'])
  const back = await ClientConnection.open(url('b'), away.cursor)
  expect(await back.take(3)).toEqual(['b: before', gap, 'b: after'])
  const later = await ClientConnection.open(url('b'), back.cursor)
  await streamer.publish('b', 'next')
  expect(await later.take(1)).toEqual(['b: next'])
})

test('passes a gap of some topics to those alone who may have missed something', async () => {
  const driver = scriptedDriver()
  const { streamer, url } = await serveStreamer({ driver })
  const topics: Record<string, string> = { exact: 'pets.dogs', pattern: 'pets.*', other: 'cars' }
  const connections: Record<string, ClientConnection> = {}
  for (const [id, topic] of Object.entries(topics)) {
    await streamer.newClient({ id, topics: [topic, 'all'] })
    connections[id] = await ClientConnection.open(url(id))
  }
  driver.tell({ type: 'gap', reason: 'log-trimmed', topics: ['pets.dogs'] })
  await streamer.publish('all', 'after')
  const gap = '{"gap":{"reason":"log-trimmed","topics":["pets.dogs"]}}'
  expect(await connections['exact']!.take(2)).toEqual([gap, 'all: after'])
  expect(await connections['pattern']!.take(2)).toEqual([gap, 'all: after'])
  expect(await connections['other']!.take(1)).toEqual(['all: after'])
})

test('remembers a gap of the driver that was dropped from the window', async () => {
  const driver = scriptedDriver()
  const { streamer, url } = await serveStreamer({ driver, windowBytes: 10_000 })
  const { id } = await streamer.newClient({ topics: ['quiet'] })
  await streamer.newClient({ topics: ['busy'] })
  driver.tell({ type: 'gap', reason: 'broker-reconnected' })
  for (let i = 0; i < 100; i++) await streamer.publish('busy', String(i))
  const connection = await ClientConnection.open(url(id))
  expect(await connection.take(1)).toEqual(['{"gap":{"reason":"window-exceeded"}}'])
})

test('tells a failed topic to exactly the clients that have it', async () => {
  const driver = scriptedDriver()
  const { streamer, url } = await serveStreamer({ driver })
  const topics: Record<string, string[]> = {
    has: ['orders.1'],
    hasMore: ['orders.1', 'orders.*'],
    pattern: ['orders.*'],
    other: ['orders.2'],
  }
  const connections: Record<string, ClientConnection> = {}
  for (const [id, own] of Object.entries(topics)) {
    await streamer.newClient({ id, topics: [...own, 'all'] })
    connections[id] = await ClientConnection.open(url(id))
  }
  driver.tell({ type: 'topicFailed', topic: 'orders.1', error: new Error('no permission') })
  driver.tell({ type: 'topicFailed', topic: 'orders.*', error: new Error('no permission') })
  await streamer.publish('all', 'after')
  const { has, hasMore, pattern, other } = connections
  expect(await has!.take(2)).toEqual([failed('orders.1'), 'all: after'])
  expect(await hasMore!.take(3)).toEqual([failed('orders.1'), failed('orders.*'), 'all: after'])
  expect(await pattern!.take(2)).toEqual([failed('orders.*'), 'all: after'])
  expect(await other!.take(1)).toEqual(['all: after'])
  for (const id of ['has', 'pattern']) {
    const back = await ClientConnection.open(`${url(id)}&last_event_id=earliest`)
    expect(await back.take(2)).toEqual([
      failed(id === 'has' ? 'orders.1' : 'orders.*'),
      'all: after',
    ])
  }
})

test('subscribes a failed topic again, ever more slowly, and tells a gap once it is back', async () => {
  const driver = scriptedDriver()
  const clock = new ManualClock()
  const { streamer, url } = await serveStreamer({ driver, clock })
  const { id } = await streamer.newClient({ topics: ['orders'] })
  const connection = await ClientConnection.open(url(id))
  const asked = (): number => driver.calls.filter((call) => call === 'subscribe orders').length
  driver.failing.add('subscribe orders')
  driver.tell({ type: 'topicFailed', topic: 'orders', error: new Error('no permission') })
  for (const [tries, waitMs] of [1_000, 2_000, 4_000].entries()) {
    clock.advance(waitMs - 1)
    await settled()
    expect(asked()).toBe(tries + 1)
    clock.advance(1)
    await vi.waitFor(() => expect(asked()).toBe(tries + 2))
    await settled()
  }
  driver.failing.clear()
  clock.advance(8_000)
  expect(await connection.take(2)).toEqual([
    failed('orders'),
    '{"gap":{"reason":"messages-dropped","topics":["orders"]}}',
  ])
  driver.hand(textMessage('orders', 'again'))
  expect(await connection.take(1)).toEqual(['orders: again'])
  clock.advance(100_000)
  expect(asked()).toBe(5)
})

test('tells what is missing of a topic that was heard of late, once the broker delivers it', async () => {
  const driver = scriptedDriver()
  const store = memoryClientStore()
  let host: ClientStoreHost | undefined
  const { streamer, url } = await serveStreamer({
    driver,
    store: { ...store, open: (to) => store.open((host = to)) },
  })
  const { id } = await streamer.newClient({ topics: ['news'] })
  const connection = await ClientConnection.open(url(id))
  const { promise, resolve } = Promise.withResolvers<void>()
  driver.held.set('subscribe orders', promise)
  const record = (await store.find(id))!
  const topics = new Map([...record.topics, ['orders', 0] as const])
  host!.changed({ ...record, topics }, { added: ['orders'], removed: [], isLate: true })
  driver.hand(textMessage('news', 'before'))
  await settled()
  resolve()
  expect(await connection.take(3)).toEqual([
    '{"subscriptions":["news","orders"]}',
    'news: before',
    '{"gap":{"reason":"messages-dropped","topics":["orders"]}}',
  ])
})

test('tells no gap of a topic that the broker delivers to this replica since the client was made', async () => {
  const [one, other] = await twoReplicas()
  await one.streamer.newClient({ topics: ['busy'] })
  const { promise, resolve } = Promise.withResolvers<void>()
  other.driver.held.set('subscribe news', promise)
  const made = one.streamer.newClient({ topics: ['news'] })
  await vi.waitFor(() => expect(other.driver.calls).toContain('subscribe news'))
  await one.streamer.publish('busy', 'meanwhile')
  resolve()
  const { id } = await made
  const connection = await ClientConnection.open(other.url(id))
  await one.streamer.publish('news', 'first')
  expect(await connection.take(1)).toEqual(['news: first'])
})

test('tells no gap to a new client of a replica that is younger than the overlap', async () => {
  const [one, other] = await twoReplicas({ overlapMs: 60_000 })
  const { id } = await one.streamer.newClient({ topics: ['news'] })
  await one.streamer.publish('news', 'first')
  const connection = await ClientConnection.open(other.url(id))
  expect(await connection.take(1)).toEqual(['news: first'])
})

/** Two replicas on one broker, of which the second starts once the first is ready. */
async function twoReplicas(options: Partial<StreamerOptions> = {}) {
  const open = new Set<ScriptedDriver>()
  const replicas = []
  for (let count = 0; count < 2; count++) {
    const driver = scriptedDriver({ shared: true })
    driver.publish = async (message) => open.forEach((each) => each.hand(message))
    const opens = driver.open.bind(driver)
    driver.open = async (...args) => {
      await opens(...args)
      open.add(driver)
    }
    const store = replicatedClientStore({ beatMs: 20 })
    const served = await serveStreamer({ ...options, driver, store })
    await served.streamer.start()
    replicas.push({ ...served, driver })
  }
  const [one, other] = replicas
  return [one!, other!] as const
}

/** Lets all promises that are settled run on. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
