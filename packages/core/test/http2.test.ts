import { once } from 'node:events'
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  createServer,
  type IncomingHttpHeaders,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import { Streamer, type StreamerOptions } from '../src/index.ts'
import { readEvents, topicEvents } from './support/event-blocks.ts'
import { loopbackDriver } from './support/loopback-driver.ts'

const patient = { timeout: 10_000, interval: 10 }

test('an HTTP/2 client gets the first message, events, the reason of the end, and the end', async () => {
  const { streamer, session } = await serveHttp2()
  const client = await streamer.newClient({ topics: ['a'] })
  const stream = await open(session, `/events?id=${client.id}`)
  expect(stream.headers).toMatchObject({
    ':status': 200,
    'content-type': 'text/event-stream',
    'cache-control': 'no-cache, no-transform',
  })
  await until(stream, client.id)
  await streamer.publish('a', 'two\nlines')
  await until(stream, 'data: lines\n\n')
  await client.close()
  await once(stream.request, 'close')
  const { events, faults } = readEvents(stream.text())
  expect(faults).toEqual([])
  expect(events.map(({ event, data }) => [event, data]).slice(1)).toEqual([
    ['a', 'two\nlines'],
    [undefined, '{"closing":{"reason":"removed"}}'],
  ])
})

test('streams of one HTTP/2 session do not mix, and one that the client resets is noticed', async () => {
  const { streamer, session } = await serveHttp2()
  const [left, right] = [
    await streamer.newClient({ topics: ['a', 'left'] }),
    await streamer.newClient({ topics: ['a', 'right'] }),
  ]
  const one = await open(session, `/events?id=${left.id}`)
  const two = await open(session, `/events?id=${right.id}`)
  for (const topic of ['left', 'right', 'a']) await streamer.publish(topic, `to ${topic}`)
  await until(one, 'to a')
  await until(two, 'to a')
  expect(topicEvents(readEvents(one.text())).map(({ data }) => data)).toEqual(['to left', 'to a'])
  expect(topicEvents(readEvents(two.text())).map(({ data }) => data)).toEqual(['to right', 'to a'])
  one.request.close()
  await vi.waitFor(
    async () => expect((await streamer.getClient(left.id))!.connected).toBe(false),
    patient,
  )
  expect((await streamer.getClient(right.id))!.connected).toBe(true)
})

test('an HTTP/2 client resumes with Last-Event-ID', async () => {
  const { streamer, session } = await serveHttp2()
  const { id } = await streamer.newClient({ topics: ['a'] })
  const cut = await open(session, `/events?id=${id}`)
  await until(cut, id)
  cut.request.close()
  await vi.waitFor(
    async () => expect((await streamer.getClient(id))!.connected).toBe(false),
    patient,
  )
  await streamer.publish('a', 'missed')
  const cursor = readEvents(cut.text()).events[0]!.id!
  const again = await open(session, `/events?id=${id}`, { 'last-event-id': cursor })
  await until(again, 'data: missed\n\n')
})

test('an HTTP/2 client that does not read is closed at the bound of its queue', async () => {
  const { streamer, session } = await serveHttp2({
    maxQueueBytes: 64 * 1024,
    maxPayloadBytes: 16 * 1024,
  })
  const { id } = await streamer.newClient({ topics: ['a'] })
  const stream = await open(session, `/events?id=${id}`)
  await until(stream, id)
  stream.request.pause()
  const payload = 'x'.repeat(16 * 1024)
  await vi.waitFor(async () => {
    for (let i = 0; i < 20; i++) await streamer.publish('a', payload)
    expect((await streamer.status()).counters.slowConsumers).toBe(1)
  }, patient)
  expect(await streamer.status()).toMatchObject({ connections: 0, clients: 1 })
})

test('HEAD, OPTIONS and a problem are answered over HTTP/2', async () => {
  const { streamer, session } = await serveHttp2()
  const { id } = await streamer.newClient()
  const path = `/events?id=${id}`
  expect((await open(session, path, { ':method': 'HEAD' })).headers).toMatchObject({
    ':status': 200,
    'content-type': 'text/event-stream',
  })
  expect((await open(session, path, { ':method': 'OPTIONS' })).headers[':status']).toBe(204)
  const problem = await open(session, '/events?id=unknown')
  await once(problem.request, 'close')
  expect(problem.headers[':status']).toBe(404)
  expect(JSON.parse(problem.text())).toMatchObject({ code: 'client-not-found' })
  expect((await streamer.status()).connections).toBe(0)
})

interface OpenRequest {
  request: ClientHttp2Stream
  headers: IncomingHttpHeaders
  text: () => string
}

async function serveHttp2(
  options: Partial<StreamerOptions> = {},
): Promise<{ streamer: Streamer; session: ClientHttp2Session }> {
  const streamer = new Streamer({ driver: loopbackDriver(), drainMs: 0, ...options })
  const server = createServer((request, response) => streamer.listener(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  onTestFinished(async () => {
    session.destroy()
    await streamer.close()
    server.close()
  })
  return { streamer, session }
}

async function open(
  session: ClientHttp2Session,
  path: string,
  headers: Record<string, string> = {},
): Promise<OpenRequest> {
  const request = session.request({ ':path': path, ...headers })
  let text = ''
  request.setEncoding('utf8')
  request.on('data', (more: string) => (text += more))
  const [answered] = (await once(request, 'response')) as [IncomingHttpHeaders]
  return { request, headers: answered, text: () => text }
}

async function until({ text }: OpenRequest, part: string): Promise<void> {
  await vi.waitFor(() => expect(text()).toContain(part), patient)
}
