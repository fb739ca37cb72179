import { expect, test, vi } from 'vitest'
import { ClientConnection } from './support/client-connection.ts'
import { deferred } from './support/deferred.ts'
import { ManualClock } from './support/manual-clock.ts'
import { memoryClientStore } from '../src/clients/memory-client-store.ts'
import { scriptedDriver } from './support/scripted-driver.ts'
import { serveStreamer } from './support/serve-streamer.ts'

const LINGER = 10_000

test('subscribes a topic at the driver once, however many clients have it', async () => {
  const driver = scriptedDriver()
  const { streamer } = await serveStreamer({ driver })
  await Promise.all(
    Array.from({ length: 10 }, () => streamer.newClient({ topics: ['news', 'pets.*'] })),
  )
  expect(driver.calls.filter((call) => call === 'subscribe news')).toHaveLength(1)
  expect(driver.calls.filter((call) => call === 'subscribe pets.*')).toHaveLength(1)
})

test('leaves a topic at the driver after its last client, once the linger is over', async () => {
  const driver = scriptedDriver()
  const clock = new ManualClock()
  const { streamer } = await serveStreamer({ driver, clock, lingerMs: LINGER })
  const one = await streamer.newClient({ topics: ['news'] })
  const other = await streamer.newClient({ topics: ['news'] })
  await one.close()
  clock.advance(2 * LINGER)
  expect(driver.calls).not.toContain('unsubscribe news')
  await streamer.unsubscribe(other.id, 'news')
  clock.advance(LINGER - 1)
  expect(driver.calls).not.toContain('unsubscribe news')
  clock.advance(1)
  await vi.waitFor(() => expect(driver.calls).toContain('unsubscribe news'))
})

test('does not ask the driver again for a topic that is wanted again within the linger', async () => {
  const driver = scriptedDriver()
  const clock = new ManualClock()
  const { streamer, url } = await serveStreamer({ driver, clock, lingerMs: LINGER })
  for (let reload = 0; reload < 5; reload++) {
    const client = await streamer.newClient({ topics: ['news'] })
    const connection = await ClientConnection.open(url(client.id))
    await connection.leave(streamer)
    await client.close()
    clock.advance(LINGER - 1)
  }
  expect(driver.calls.filter((call) => call.endsWith(' news'))).toEqual(['subscribe news'])
})

test('subscribes again behind an unsubscribe that is under way', async () => {
  const driver = scriptedDriver()
  const { streamer, url } = await serveStreamer({ driver, lingerMs: 0 })
  const left = deferred()
  driver.held.set('unsubscribe news', left.promise)
  await (await streamer.newClient({ topics: ['news'] })).close()
  await vi.waitFor(() => expect(driver.calls).toContain('unsubscribe news'))
  const made = streamer.newClient({ topics: ['news'] })
  await new Promise(setImmediate)
  expect(driver.calls.at(-1)).toBe('unsubscribe news')
  left.resolve()
  const connection = await ClientConnection.open(url((await made).id))
  expect(driver.calls.filter((call) => call.endsWith(' news'))).toEqual([
    'subscribe news',
    'unsubscribe news',
    'subscribe news',
  ])
  await streamer.publish('news', 'hello')
  expect(await connection.take(1)).toEqual(['news: hello'])
})

test('tells a live stream of each change of its subscriptions', async () => {
  const { streamer, url } = await serveStreamer()
  const { id } = await streamer.newClient({ topics: ['a'] })
  const connection = await ClientConnection.open(url(id))
  expect(await streamer.subscribe(id, ['c', 'b'])).toEqual(['a', 'b', 'c'])
  expect(await streamer.unsubscribe(id, 'a')).toEqual(['b', 'c'])
  expect(await streamer.changeSubscriptions(id, { subscribe: ['d'], unsubscribe: ['b'] })).toEqual([
    'c',
    'd',
  ])
  expect(await connection.take(3)).toEqual([
    '{"subscriptions":["a","b","c"]}',
    '{"subscriptions":["b","c"]}',
    '{"subscriptions":["c","d"]}',
  ])
})

test('says nothing of a change that changes nothing', async () => {
  const { streamer, url } = await serveStreamer()
  const { id } = await streamer.newClient({ topics: ['a'] })
  const connection = await ClientConnection.open(url(id))
  await streamer.subscribe(id, 'a')
  await streamer.unsubscribe(id, 'never-had')
  await streamer.publish('a', 'next')
  expect(await connection.take(1)).toEqual(['a: next'])
})

test('keeps a topic that one change both takes and gives', async () => {
  const { streamer, url } = await serveStreamer()
  const { id } = await streamer.newClient({ topics: ['a'] })
  const connection = await ClientConnection.open(url(id))
  expect(await streamer.changeSubscriptions(id, { subscribe: ['a'], unsubscribe: ['a'] })).toEqual([
    'a',
  ])
  await streamer.publish('a', 'still here')
  expect(await connection.takeUntil('still here')).toContain('a: still here')
})

test('delivers from the answer of subscribe on, until the answer of unsubscribe', async () => {
  const { streamer, url } = await serveStreamer()
  const { id } = await streamer.newClient()
  const connection = await ClientConnection.open(url(id))
  for (let round = 0; round < 5; round++) {
    await streamer.publish('news', 'before')
    await streamer.subscribe(id, 'news')
    await streamer.publish('news', 'between')
    await streamer.unsubscribe(id, 'news')
    await streamer.publish('news', 'after')
    expect(await connection.take(3)).toEqual([
      '{"subscriptions":["news"]}',
      'news: between',
      '{"subscriptions":[]}',
    ])
  }
})

test('holds a subscription that was answered for a client without a connection', async () => {
  const { streamer, url } = await serveStreamer()
  const { id } = await streamer.newClient({ topics: ['a'] })
  const connection = await ClientConnection.open(url(id))
  await streamer.publish('a', '1')
  await connection.take(1)
  await connection.leave(streamer)
  await streamer.publish('b', 'not yet')
  await streamer.subscribe(id, 'b')
  await streamer.publish('b', '2')
  await streamer.unsubscribe(id, 'a')
  await streamer.publish('a', 'no more')
  await streamer.publish('b', '3')
  const back = await ClientConnection.open(url(id), connection.cursor)
  expect(await back.take(2)).toEqual(['b: 2', 'b: 3'])
})

test('sends to one client, on all its connections, by the name `direct` or its own', async () => {
  const { streamer, url } = await serveStreamer()
  const { id } = await streamer.newClient()
  const other = await ClientConnection.open(url((await streamer.newClient({ topics: ['x'] })).id))
  const tabs = [await ClientConnection.open(url(id)), await ClientConnection.open(url(id))]
  await streamer.send(id, { only: 'you' })
  await streamer.send(id, 'named', { event: 'greeting' })
  for (const tab of tabs)
    expect(await tab.take(2)).toEqual(['direct: {"only":"you"}', 'greeting: named'])
  await streamer.publish('x', 'for the other')
  expect(await other.take(1)).toEqual(['x: for the other'])
})

test('resumes what was sent to one client like any event, in order with the others', async () => {
  const { streamer, url } = await serveStreamer()
  const { id } = await streamer.newClient({ topics: ['a'] })
  const connection = await ClientConnection.open(url(id))
  await streamer.send(id, '1')
  expect(await connection.take(1)).toEqual(['direct: 1'])
  await connection.leave(streamer)
  await streamer.publish('a', '2')
  await streamer.send(id, '3')
  await streamer.publish('a', '4')
  const back = await ClientConnection.open(url(id), connection.cursor)
  expect(await back.take(3)).toEqual(['a: 2', 'direct: 3', 'a: 4'])
})

test('refuses to send to a client that is not there', async () => {
  const { streamer } = await serveStreamer()
  await expect(streamer.send('nobody-at-all', 'hello')).rejects.toMatchObject({
    code: 'CLIENT_NOT_FOUND',
    message: expect.not.stringContaining('nobody-at-all'),
  })
})

test('tells the store of a topic that the client seems to have already', async () => {
  const store = memoryClientStore()
  const asked = vi.spyOn(store, 'changeTopics')
  const { streamer } = await serveStreamer({ store })
  const { id } = await streamer.newClient({ topics: ['news'] })
  await streamer.subscribe(id, 'news')
  expect([...asked.mock.calls[0]![1].keys()]).toEqual(['news'])
})
