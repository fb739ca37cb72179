import { promisify } from 'node:util'
import { describe, expect, test, vi } from 'vitest'
import { sealed } from '../src/events/cursor.ts'
import type { Streamer } from '../src/index.ts'
import { infoOf } from './support/event-blocks.ts'
import { RawConnection } from './support/raw-connection.ts'
import { serveStreamer } from './support/serve-streamer.ts'
import { StreamReader } from './support/stream-reader.ts'

describe('a cursor that no replica ever gave', () => {
  const cursors: [string, string][] = [
    ['text', 'forged'],
    ['a cut one', '1.'],
    ['513 characters', 'x'.repeat(513)],
    ['8 KiB', '1'.repeat(8_192)],
    ['one of another version', '2.abc.7'],
    ['a negative sequence', '1.abc.-1'],
    ['a huge sequence', `1.abc.${'9'.repeat(400)}`],
    ['not a number', '1.abc.NaN'],
    ['fields of a stream', 'x data: forged'],
    ['percent encoding', '%0a%0adata: forged'],
    ['markup', '<script>alert(1)</script>'],
  ]

  test.each(cursors)('in the header, %s, is a gap and then the live stream', async (_, cursor) => {
    const { streamer, url } = await serveStreamer()
    const { id } = await streamer.newClient({ topics: ['a'] })
    const response = await fetch(url(id), { headers: { 'last-event-id': cursor } })
    await expectGapThenLive(streamer, response, cursor)
  })

  test.each([
    ...cursors,
    ['line breaks', 'x\r\n\r\ndata: forged\r\n\r\n'],
    ['NUL', 'a\0b'],
    ['text that is not ASCII', 'é😀'],
    ['half a surrogate pair', '\ud800'],
  ])('in the query, %s, is a gap and then the live stream', async (_, cursor) => {
    const { streamer, url } = await serveStreamer()
    const { id } = await streamer.newClient({ topics: ['a'] })
    const query = new URLSearchParams({ last_event_id: cursor })
    await expectGapThenLive(streamer, await fetch(`${url(id)}&${query.toString()}`), cursor)
  })

  test('in the header, bytes that are not ASCII, is a gap and then the live stream', async () => {
    const { streamer, port } = await serveStreamer()
    const { id } = await streamer.newClient({ topics: ['a'] })
    const raw = await RawConnection.to(port)
    raw.get(`/events?id=${id}`, 'Last-Event-ID: é😀\r\n')
    await raw.until('"gap":')
    await streamer.publish('a', 'live')
    await raw.until('data: live\n\n')
    const [first, gap] = raw.answers()[0]!.read.events
    expect(first!.id).toBeUndefined()
    expect(infoOf(gap!)).toEqual({ gap: { reason: 'cursor-unknown' } })
  })

  test('of this replica, from the future, is a gap', async () => {
    const { streamer, url } = await serveStreamer()
    const { id } = await streamer.newClient({ topics: ['a'] })
    const reader = new StreamReader(await fetch(url(id)))
    const future = `${(await reader.next())!.id!}9`
    await reader.cancel()
    const response = await fetch(url(id), { headers: { 'last-event-id': future } })
    await expectGapThenLive(streamer, response, future)
  })

  test('of another replica is a gap that says so', async () => {
    const { streamer, url } = await serveStreamer()
    const { id } = await streamer.newClient({ topics: ['a'] })
    const response = await fetch(url(id), {
      headers: { 'last-event-id': sealed('1.elsewhere.0.7') },
    })
    const [first, gap] = await new StreamReader(response).take(2)
    expect(first!.id).toBe(sealed('1.elsewhere.0.7'))
    expect(infoOf(gap!)).toEqual({ gap: { reason: 'replica-started' } })
  })

  test('in the header wins over the query', async () => {
    const { streamer, url } = await serveStreamer()
    const { id } = await streamer.newClient({ topics: ['a'] })
    await streamer.publish('a', 'kept')
    const response = await fetch(`${url(id)}&last_event_id=earliest`, {
      headers: { 'last-event-id': 'forged' },
    })
    const [, gap] = await new StreamReader(response).take(2)
    expect(infoOf(gap!)).toEqual({ gap: { reason: 'cursor-unknown' } })
  })

  test('is none at all when it is empty', async () => {
    const { streamer, url } = await serveStreamer()
    const { id } = await streamer.newClient({ topics: ['a'] })
    await streamer.publish('a', 'kept')
    const response = await fetch(`${url(id)}&last_event_id=`, { headers: { 'last-event-id': '' } })
    expect(await new StreamReader(response).take(2)).toMatchObject([{}, { data: 'kept' }])
  })
})

describe('a request that is too much or makes no sense', () => {
  test.each([
    ['an id of 8 KiB', `id=${'x'.repeat(8_192)}`],
    ['an id of another alphabet', 'id=%00%0d%0a%F0%9F%98%80'],
    ['broken percent encoding', 'id=%E0%A4%A&%&%zz=%'],
    ['a path in place of an id', 'id=../../etc/passwd'],
    ['names of Object.prototype', 'id=__proto__&constructor=1'],
  ])('with %s gets 404', async (_, query) => {
    const { port } = await serveStreamer()
    const raw = await RawConnection.to(port)
    raw.get(`/events?${query}`)
    await raw.until('client-not-found')
    expect(raw.received).toMatch(/^HTTP\/1\.1 404 /)
    expect(raw.received).not.toContain('x'.repeat(9))
  })

  test.each([
    ['no query', '/events'],
    ['an empty id', '/events?id='],
    ['thousands of parameters', `/events?${'a&'.repeat(4_000)}`],
    ['question marks', '/events????'],
    ['a URL that is none', '//[::1'],
  ])('with %s gets 400', async (_, path) => {
    const { port } = await serveStreamer()
    const raw = await RawConnection.to(port)
    raw.get(path)
    await raw.until('client-id-required')
    expect(raw.received).toMatch(/^HTTP\/1\.1 400 /)
  })

  test.each([
    ['a header', '/events', `X-Huge: ${'x'.repeat(100_000)}\r\n`],
    ['a URL', `/events?id=${'x'.repeat(100_000)}`, ''],
  ])('with %s of 100 kB is refused by Node.js, and nobody else is affected', async (...given) => {
    const [, path, headers] = given
    const { streamer, port, url } = await serveStreamer()
    const { id } = await streamer.newClient({ topics: ['a'] })
    const reader = new StreamReader(await fetch(url(id)))
    await reader.next()
    const raw = await RawConnection.to(port)
    raw.get(path, headers)
    await raw.until('431 Request Header Fields Too Large')
    await streamer.publish('a', 'unharmed')
    expect(await reader.next()).toMatchObject({ data: 'unharmed' })
  })

  test('for anonymous topics that are malformed gets 422, for others 403, and makes no client', async () => {
    const { streamer, origin } = await serveStreamer({ anonymous: { topics: ['news.*'] } })
    const ask = async (topic: string): Promise<[number, unknown]> => {
      const response = await fetch(`${origin}/events?topic=${encodeURIComponent(topic)}`)
      return [response.status, ((await response.json()) as { code: string }).code]
    }
    expect(await ask('a\r\nb')).toEqual([422, 'invalid-topic'])
    expect(await ask('x'.repeat(5_000))).toEqual([422, 'invalid-topic'])
    expect(await ask('private')).toEqual([403, 'forbidden'])
    expect(await ask('news.**')).toEqual([403, 'forbidden'])
    expect(await streamer.status()).toMatchObject({ connections: 0, clients: 0 })
  })

  test('that ends before its answer leaves no connection behind', async () => {
    let allow: (() => void) | undefined
    const { streamer, server, port, url } = await serveStreamer({
      authorizeConnection: async ({ request }) => {
        if (request.headers.has('x-slow')) await new Promise<void>((go) => (allow = go))
        return true
      },
    })
    const { id } = await streamer.newClient()
    const raw = await RawConnection.to(port)
    raw.get(`/events?id=${id}`, 'X-Slow: yes\r\n')
    await vi.waitFor(() => expect(allow).toBeDefined())
    const served = promisify(server.getConnections.bind(server))
    raw.socket.destroy()
    await vi.waitFor(async () => expect(await served()).toBe(0))
    allow!()
    await new StreamReader(await fetch(url(id))).next()
    expect((await streamer.getClient(id))!.connections).toHaveLength(1)
    expect((await streamer.status()).connections).toBe(1)
  })
})

describe('the path', () => {
  test('is the business of the application: the stream is served wherever it is mounted', async () => {
    const { streamer, origin } = await serveStreamer({
      mount: (to) => (request, response) => {
        if (request.url?.startsWith('/deep/down') === true) return to.listener(request, response)
        response.writeHead(404).end('the application’s own')
      },
    })
    const { id } = await streamer.newClient()
    const elsewhere = await fetch(`${origin}/events?id=${id}`)
    expect(await elsewhere.text()).toBe('the application’s own')
    const reader = new StreamReader(await fetch(`${origin}/deep/down?id=${id}`))
    expect(infoOf((await reader.next())!)).toHaveProperty('config.client_id', id)
  })
})

/** A cursor that is safe to repeat stands in the first message, and no other. */
async function expectGapThenLive(
  streamer: Streamer,
  response: Response,
  cursor: string,
): Promise<void> {
  expect(response.status).toBe(200)
  const reader = new StreamReader(response)
  const [first, gap] = await reader.take(2)
  expect(first!.id).toBe(/^[A-Za-z0-9_.:~-]{1,512}$/.test(cursor) ? cursor : undefined)
  expect(infoOf(gap!)).toHaveProperty('gap.reason')
  await streamer.publish('a', 'live')
  expect(await reader.next()).toMatchObject({ event: 'a', data: 'live' })
  expect(reader.faults).toEqual([])
}
