import { expect, onTestFinished, test } from 'vitest'
import { type DriverStatus, Streamer, type StreamerOptions } from '../src/index.ts'
import { ClientConnection } from './support/client-connection.ts'
import { deferred } from './support/deferred.ts'
import { ManualClock } from './support/manual-clock.ts'
import { scriptedDriver } from './support/scripted-driver.ts'
import { serveStreamer } from './support/serve-streamer.ts'

function openStreamer(options: StreamerOptions): Streamer {
  const streamer = new Streamer({ drainMs: 0, lingerMs: 0, ...options })
  onTestFinished(() => streamer.close())
  return streamer
}

test('opens the driver at the first use, once', async () => {
  const driver = scriptedDriver()
  const streamer = openStreamer({ driver })
  expect(driver.calls).toEqual([])
  await Promise.all([streamer.newClient(), streamer.publish('news', 'x'), streamer.totalClients()])
  expect(driver.calls.filter((call) => call === 'open')).toHaveLength(1)
})

test('returns one promise from start, however often it is called', async () => {
  const streamer = openStreamer({ driver: scriptedDriver() })
  const started = streamer.start()
  expect(streamer.start()).toBe(started)
  await started
  expect(streamer.start()).toBe(started)
})

test('starts again after a driver could not be opened', async () => {
  const driver = scriptedDriver()
  driver.failing.add('open')
  const streamer = openStreamer({ driver })
  await expect(streamer.start()).rejects.toMatchObject({
    code: 'BROKER_UNAVAILABLE',
    retryable: true,
    driver: 'scripted',
    cause: new Error('the broker refuses: open'),
  })
  await expect(streamer.newClient()).rejects.toMatchObject({ code: 'BROKER_UNAVAILABLE' })
  driver.failing.clear()
  await streamer.start()
  expect(await streamer.totalClients()).toBe(0)
})

test('does not open a driver twice when only a subscribe failed at the start', async () => {
  const driver = scriptedDriver()
  driver.failing.add('subscribe asbru.direct')
  const streamer = openStreamer({ driver })
  await expect(streamer.start()).rejects.toMatchObject({ retryable: true })
  driver.failing.clear()
  await streamer.start()
  expect(driver.calls.filter((call) => call === 'open')).toHaveLength(1)
})

test('answers a stream with 200 and a reconnect while the driver cannot be opened', async () => {
  const driver = scriptedDriver()
  driver.failing.add('open')
  const { origin } = await serveStreamer({ driver })
  const response = await fetch(`${origin}/events?id=some-id`)
  expect(response.status).toBe(200)
  expect(await response.text()).toMatch(
    /^retry: \d+\ndata: \{"closing":\{"reason":"not-ready"\}\}\n\n$/,
  )
})

test('closes once, however often it is told, and closes the driver last', async () => {
  const driver = scriptedDriver()
  const { streamer, url } = await serveStreamer({ driver })
  const { id } = await streamer.newClient()
  await ClientConnection.open(url(id))
  await Promise.all([streamer.close(), streamer.close()])
  await streamer.close()
  expect(driver.calls.filter((call) => call === 'close')).toHaveLength(1)
  expect(driver.calls.at(-1)).toBe('close')
  expect(await streamer.status()).toMatchObject({
    closing: true,
    connections: 0,
    driver: { state: 'closed' },
  })
})

test('closes before it was started', async () => {
  const driver = scriptedDriver()
  const streamer = openStreamer({ driver })
  await streamer.close()
  await expect(streamer.start()).rejects.toMatchObject({ code: 'CLOSING' })
  expect(driver.calls).toEqual(['close'])
})

test('closes while it starts, and the start settles', async () => {
  const driver = scriptedDriver()
  const opened = deferred()
  driver.held.set('open', opened.promise)
  const streamer = openStreamer({ driver })
  const started = streamer.start().then(
    () => 'started',
    ({ code }: { code: string }) => code,
  )
  const closed = streamer.close()
  opened.resolve()
  await closed
  expect(['started', 'BROKER_UNAVAILABLE', 'CLOSING']).toContain(await started)
  await expect(streamer.newClient()).rejects.toMatchObject({ code: 'CLOSING' })
})

test('closes though the driver does not close in order', async () => {
  const driver = scriptedDriver()
  driver.failing.add('close')
  const streamer = openStreamer({ driver })
  await streamer.start()
  await streamer.close()
  expect((await streamer.status()).driver.state).toBe('closed')
})

test.each<[string, (streamer: Streamer) => Promise<unknown>]>([
  ['start', (streamer) => streamer.start()],
  ['newClient', (streamer) => streamer.newClient()],
  ['getClient', (streamer) => streamer.getClient('a')],
  ['removeClient', (streamer) => streamer.removeClient('a')],
  ['subscribe', (streamer) => streamer.subscribe('a', 'news')],
  ['unsubscribe', (streamer) => streamer.unsubscribe('a', 'news')],
  ['publish', (streamer) => streamer.publish('news', 'x')],
  ['publish of several', (streamer) => streamer.publish([{ topic: 'news', data: 'x' }])],
  ['send', (streamer) => streamer.send('a', 'x')],
  ['clients', (streamer) => streamer.clients()],
  ['topics', (streamer) => streamer.topics()],
  ['totalClients', (streamer) => streamer.totalClients()],
])('refuses %s after close with CLOSING', async (_, call) => {
  const streamer = openStreamer({ driver: scriptedDriver() })
  await streamer.start()
  await streamer.close()
  await expect(call(streamer)).rejects.toMatchObject({ code: 'CLOSING', retryable: true })
})

test('tells every connection to come back, spread over the drain, and ends it', async () => {
  const clock = new ManualClock()
  const spread = [0, 0.5, 0.999]
  let next = 0
  const random = (): number => spread[next++ % spread.length]!
  const { streamer, url } = await serveStreamer({ clock, random, drainMs: 1_000, retryMs: 2_000 })
  const connections: ClientConnection[] = []
  for (let i = 0; i < 3; i++) {
    const { id } = await streamer.newClient()
    connections.push(await ClientConnection.open(url(id)))
  }
  const closed = streamer.close()
  const openAt = async (): Promise<number> => (await streamer.status()).connections
  clock.advance(0)
  expect(await openAt()).toBe(2)
  clock.advance(500)
  expect(await openAt()).toBe(1)
  clock.advance(499)
  await closed
  for (const { reader } of connections) {
    expect((await reader.rest()).map(({ data }) => data)).toEqual([
      '{"closing":{"reason":"shutdown"}}',
    ])
    expect(reader.retries).toHaveLength(2)
    for (const retry of reader.retries) {
      expect(retry).toBeGreaterThanOrEqual(1_500)
      expect(retry).toBeLessThanOrEqual(2_500)
    }
  }
})

test('delivers events until a connection is drained', async () => {
  const clock = new ManualClock()
  const { streamer, url } = await serveStreamer({ clock, random: () => 0.5, drainMs: 1_000 })
  const { id } = await streamer.newClient({ topics: ['news'] })
  const connection = await ClientConnection.open(url(id))
  await streamer.publish('news', 'last')
  const closed = streamer.close()
  clock.advance(1_000)
  await closed
  expect(await connection.rest()).toEqual(['news: last', '{"closing":{"reason":"shutdown"}}'])
})

test('asks those who connect during the drain to come back', async () => {
  const clock = new ManualClock()
  const { streamer, url } = await serveStreamer({ clock, random: () => 0.5, drainMs: 1_000 })
  const { id } = await streamer.newClient()
  await ClientConnection.open(url(id))
  const closed = streamer.close()
  const response = await fetch(url(id))
  expect(response.status).toBe(200)
  expect(await response.text()).toContain('data: {"closing":{"reason":"shutdown"}}')
  clock.advance(1_000)
  await closed
})

test('asks those to come back whose request is being authorized when it closes', async () => {
  const asked = deferred()
  const verdict = deferred<boolean>()
  const { streamer, url } = await serveStreamer({
    authorizeConnection: () => {
      asked.resolve()
      return verdict.promise
    },
  })
  const { id } = await streamer.newClient()
  const response = fetch(url(id))
  await asked.promise
  await streamer.close()
  verdict.resolve(true)
  expect((await response).status).toBe(200)
  expect(await (await response).text()).toContain('data: {"closing":{"reason":"shutdown"}}')
  expect((await streamer.status()).connections).toBe(0)
})

test('refuses connections past the limit of the replica, and takes them when there is room', async () => {
  const { streamer, url } = await serveStreamer({ maxConnections: 2 })
  const ids = ['a', 'b', 'c']
  for (const id of ids) await streamer.newClient({ id })
  const first = await ClientConnection.open(url('a'))
  await ClientConnection.open(url('b'))
  const response = await fetch(url('c'))
  expect(response.status).toBe(200)
  expect(await response.text()).toMatch(
    /^retry: \d+\ndata: \{"closing":\{"reason":"overloaded"\}\}\n\n$/,
  )
  await first.leave(streamer)
  await ClientConnection.open(url('c'))
})

test('keeps to the limit when all come at once and a hook takes its time', async () => {
  const { streamer, url } = await serveStreamer({
    maxConnections: 2,
    authorizeConnection: () => new Promise((resolve) => setImmediate(() => resolve(true))),
  })
  const ids = ['a', 'b', 'c', 'd', 'e', 'f']
  for (const id of ids) await streamer.newClient({ id })
  const responses = await Promise.all(ids.map((id) => fetch(url(id))))
  expect((await streamer.status()).connections).toBe(2)
  const readers = responses.map((response) => response.body!.getReader())
  const chunks = await Promise.all(readers.map((reader) => reader.read()))
  const first = chunks.map(({ value }) => new TextDecoder().decode(value))
  expect(first.filter((text) => text.includes('"overloaded"'))).toHaveLength(4)
})

test('fails only the client whose topic the driver refuses', async () => {
  const driver = scriptedDriver()
  driver.failing.add('subscribe broken')
  const { streamer, url } = await serveStreamer({ driver })
  const { id } = await streamer.newClient({ topics: ['news'] })
  const connection = await ClientConnection.open(url(id))
  for (const call of [
    streamer.newClient({ id: 'refused', topics: ['news', 'broken'] }),
    streamer.subscribe(id, ['more', 'broken']),
  ]) {
    await expect(call).rejects.toMatchObject({
      code: 'SUBSCRIPTION_FAILURE',
      retryable: true,
      driver: 'scripted',
      cause: new Error('the broker refuses: subscribe broken'),
    })
  }
  expect(await streamer.getClient('refused')).toBeUndefined()
  expect((await streamer.getClient(id))!.topics).toEqual(['news'])
  await streamer.publish('news', 'still here')
  expect(await connection.take(1)).toEqual(['news: still here'])
  driver.failing.clear()
  expect(await streamer.subscribe(id, 'broken')).toEqual(['broken', 'news'])
})

test('says which of several messages the broker did not take', async () => {
  const driver = scriptedDriver()
  driver.failing.add('publish broken')
  const streamer = openStreamer({ driver })
  await expect(streamer.publish('broken', 'x')).rejects.toMatchObject({
    code: 'BROKER_UNAVAILABLE',
    retryable: true,
    driver: 'scripted',
  })
  const results = await streamer.publish([
    { topic: 'news', data: 'x', id: 'one' },
    { topic: 'broken', data: 'x' },
    { topics: ['a', 'b'], data: 'x', id: 'two' },
    { topic: '', data: 'x' },
  ])
  expect(results).toEqual([
    { id: 'one' },
    { error: expect.objectContaining({ code: 'BROKER_UNAVAILABLE' }) },
    { id: 'two' },
    { error: expect.objectContaining({ code: 'INVALID_TOPIC' }) },
  ])
})

test('shows what the driver says of itself, and passes it on', async () => {
  const driver = scriptedDriver()
  const told: DriverStatus[] = []
  const streamer = openStreamer({ driver, onStatus: (status) => told.push(status) })
  expect((await streamer.status()).driver).toEqual({ name: 'scripted', state: 'idle' })
  await streamer.start()
  for (const type of ['reconnecting', 'connected', 'closed'] as const) {
    driver.tell({ type })
    expect((await streamer.status()).driver.state).toBe(type)
  }
  expect(told.map(({ type }) => type)).toEqual(['connected', 'reconnecting', 'connected', 'closed'])
})
