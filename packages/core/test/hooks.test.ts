import { expect, test } from 'vitest'
import {
  type ConnectionInfo,
  type Logger,
  nodeListener,
  type StreamerOptions,
} from '../src/index.ts'
import { ClientConnection } from './support/client-connection.ts'
import { ManualClock } from './support/manual-clock.ts'
import { scriptedDriver } from './support/scripted-driver.ts'
import { serveStreamer } from './support/serve-streamer.ts'

interface LogLine {
  readonly fields: object
  readonly message: string
}

/** Keeps what is logged as a warning or an error. */
function loggerTo(lines: LogLine[]): Logger {
  const note = (fields: object, message: string): void => void lines.push({ fields, message })
  return { debug() {}, info() {}, warn: note, error: note }
}

function broken(): never {
  throw new Error('broken hook')
}

test('asks authorizeConnection with the request and the client', async () => {
  const asked: string[] = []
  const { streamer, url } = await serveStreamer({
    authorizeConnection: ({ request, client }) => {
      asked.push(`${client.id} ${client.topics.join()} ${request.headers.get('x-user')}`)
      return new URL(request.url).pathname === '/events'
    },
  })
  const { id } = await streamer.newClient({ id: 'abc', topics: ['news'] })
  const response = await fetch(url(id), { headers: { 'x-user': 'me' } })
  expect(response.status).toBe(200)
  await response.body!.cancel()
  expect(asked).toEqual(['abc news me'])
})

test.each<[string, StreamerOptions['authorizeConnection']]>([
  ['false', () => false],
  ['a promise of false', async () => false],
  ['nothing', () => undefined as never],
  [
    'a throw',
    () => {
      throw new Error('secret reason')
    },
  ],
  ['a rejection', () => Promise.reject(new Error('secret reason'))],
])('answers 403 to a connection when authorizeConnection says %s', async (_, hook) => {
  const { streamer, url } = await serveStreamer({ authorizeConnection: hook! })
  const { id } = await streamer.newClient()
  const response = await fetch(url(id))
  expect(response.status).toBe(403)
  expect(response.headers.get('content-type')).toBe('application/problem+json')
  const problem = await response.text()
  expect(problem).toContain('"code":"forbidden"')
  expect(problem).not.toContain('secret')
  expect((await streamer.getClient(id))!.connections).toEqual([])
})

test('answers a connection with the Response of authorizeConnection', async () => {
  const { streamer, url } = await serveStreamer({
    authorizeConnection: () =>
      new Response('pay first', { status: 402, headers: { 'x-why': 'money' } }),
  })
  const { id } = await streamer.newClient()
  const response = await fetch(url(id))
  expect([response.status, response.headers.get('x-why'), await response.text()]).toEqual([
    402,
    'money',
    'pay first',
  ])
})

test('leaves the TTL of a client running whose connection is refused', async () => {
  const clock = new ManualClock()
  const { streamer, url } = await serveStreamer({
    clock,
    clientTtlMs: 1_000,
    authorizeConnection: () => false,
  })
  const { id } = await streamer.newClient()
  clock.advance(900)
  expect((await fetch(url(id))).status).toBe(403)
  clock.advance(100)
  expect(await streamer.totalClients()).toBe(0)
})

test('asks authorizeSubscription for every topic that is asked for, the default ones apart', async () => {
  const asked: string[] = []
  const { streamer } = await serveStreamer({
    defaultTopics: ['everybody'],
    authorizeSubscription: async ({ client, topic }) => {
      asked.push(`${client.id} ${topic} ${JSON.stringify(client.metadata)}`)
      return true
    },
  })
  await streamer.newClient({ id: 'abc', topics: ['a'], metadata: { user: 7 } })
  await streamer.subscribe('abc', ['a', 'b.*'])
  expect(asked).toEqual(['abc a {"user":7}', 'abc b.* {"user":7}'])
})

test.each<[string, StreamerOptions['authorizeSubscription']]>([
  ['false', ({ topic }) => topic !== 'secret'],
  [
    'a throw',
    ({ topic }) => {
      if (topic === 'secret') throw new Error('reason')
      return true
    },
  ],
  ['a rejection', async ({ topic }) => topic !== 'secret' || Promise.reject(new Error('reason'))],
])('refuses a topic when authorizeSubscription says %s, and changes nothing', async (_, hook) => {
  const driver = scriptedDriver()
  const { streamer } = await serveStreamer({ driver, authorizeSubscription: hook! })
  const { id } = await streamer.newClient({ topics: ['a'] })
  for (const call of [
    streamer.newClient({ id: 'refused', topics: ['b', 'secret'] }),
    streamer.subscribe(id, ['b', 'secret']),
  ])
    await expect(call).rejects.toMatchObject({ code: 'FORBIDDEN', retryable: false })
  expect(await streamer.getClient('refused')).toBeUndefined()
  expect((await streamer.getClient(id))!.topics).toEqual(['a'])
  expect(driver.calls).not.toContain('subscribe secret')
})

test('carries the Response of authorizeSubscription in the error', async () => {
  const response = new Response('no', { status: 402 })
  const { streamer } = await serveStreamer({ authorizeSubscription: () => response })
  await expect(streamer.newClient({ topics: ['a'] })).rejects.toMatchObject({
    code: 'FORBIDDEN',
    response,
  })
})

test('tells of each connection when it opens and when it ends, whoever ended it', async () => {
  const told: string[] = []
  const since: number[] = []
  const noting =
    (name: string) =>
    ({ clientId, connection }: { clientId: string; connection: ConnectionInfo }): void => {
      told.push(`${name} ${clientId}`)
      since.push(connection.since)
    }
  const { streamer, url } = await serveStreamer({
    clock: new ManualClock(),
    onConnect: noting('connect'),
    onDisconnect: noting('disconnect'),
  })
  await streamer.newClient({ id: 'a' })
  await streamer.newClient({ id: 'b' })
  const leaving = await ClientConnection.open(url('a'))
  await ClientConnection.open(url('b'))
  await leaving.leave(streamer)
  await streamer.removeClient('b')
  expect(told).toEqual(['connect a', 'connect b', 'disconnect a', 'disconnect b'])
  expect(new Set(since).size).toBe(1)
})

test('logs a hook that throws, without the client’s whole id, and goes on', async () => {
  const lines: LogLine[] = []
  const clock = new ManualClock()
  const driver = scriptedDriver()
  const { streamer, url } = await serveStreamer({
    driver,
    clock,
    clientTtlMs: 1_000,
    logger: loggerTo(lines),
    onConnect: broken,
    onDisconnect: broken,
    onExpire: broken,
    onStatus: broken,
  })
  const id = 'an-id-that-is-a-secret'
  await streamer.newClient({ id, topics: ['news'] })
  await streamer.newClient({ id: 'other', topics: ['news'], ttlMs: 100_000 })
  const connection = await ClientConnection.open(url(id))
  const other = await ClientConnection.open(url('other'))
  await connection.leave(streamer)
  driver.tell({ type: 'reconnecting' })
  clock.advance(1_000)
  expect(await streamer.getClient(id)).toBeUndefined()
  await streamer.publish('news', 'still here')
  expect(await other.take(1)).toEqual(['news: still here'])
  const messages = new Set(lines.map(({ message }) => message))
  for (const hook of ['onConnect', 'onDisconnect', 'onExpire', 'onStatus'])
    expect(messages).toContain(`${hook} threw`)
  expect(JSON.stringify(lines)).not.toContain(id)
})

test('logs an authorization hook that throws with the beginning of the id only', async () => {
  const lines: LogLine[] = []
  const { streamer, url } = await serveStreamer({
    logger: loggerTo(lines),
    authorizeConnection: broken,
    authorizeSubscription: broken,
  })
  const id = 'an-id-that-is-a-secret'
  await streamer.newClient({ id })
  await fetch(url(id))
  await expect(streamer.subscribe(id, 'news')).rejects.toMatchObject({ code: 'FORBIDDEN' })
  expect(lines.map(({ fields }) => fields)).toEqual([
    expect.objectContaining({ client: 'an-id-th', err: new Error('broken hook') }),
    expect.objectContaining({ client: 'an-id-th', err: new Error('broken hook') }),
  ])
})

test("puts the CORS headers on a hook's own answer, which keeps its own", async () => {
  const origin = 'https://app.example'
  const { streamer, url } = await serveStreamer({
    cors: { origins: [origin], credentials: true },
    authorizeConnection: () =>
      new Response('pay first', { status: 402, headers: { vary: 'Cookie' } }),
  })
  const { id } = await streamer.newClient()
  const response = await fetch(url(id), { headers: { origin } })
  expect(response.status).toBe(402)
  expect(response.headers.get('access-control-allow-origin')).toBe(origin)
  expect(response.headers.get('vary')).toBe('Cookie, Origin')
})

test('answers 500 and says so in the log when what takes the id throws', async () => {
  const lines: LogLine[] = []
  const { url } = await serveStreamer({
    logger: loggerTo(lines),
    mount: (streamer) => nodeListener(streamer, { clientId: broken }),
  })
  const response = await fetch(url('any'))
  expect(response.status).toBe(500)
  expect(await response.json()).toMatchObject({ code: 'internal' })
  expect(lines).toMatchObject([{ fields: { err: { message: 'broken hook' } } }])
})

test('takes the id from where it is told, and from nowhere else', async () => {
  const { streamer, origin } = await serveStreamer({
    mount: (served) =>
      nodeListener(served, {
        clientId: async ({ headers }) => headers.cookie?.slice('id='.length),
      }),
  })
  const { id } = await streamer.newClient()
  const response = await fetch(`${origin}/events`, { headers: { cookie: `id=${id}` } })
  expect(response.status).toBe(200)
  await response.body!.cancel()
  expect((await fetch(`${origin}/events?id=${id}`)).status).toBe(400)
})
