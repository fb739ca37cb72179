import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { Streamer, type StreamerOptions } from '../src/index.ts'
import { infoOf } from './support/event-blocks.ts'
import { loopbackDriver } from './support/loopback-driver.ts'
import { ManualClock } from './support/manual-clock.ts'
import { StreamReader } from './support/stream-reader.ts'

const patient = { timeout: 10_000, interval: 10 }

describe('streamer.fetch', () => {
  test('answers with the first message, what was missed, and what comes', async () => {
    const { streamer, ask } = newStreamer()
    const { id } = await streamer.newClient({ topics: ['a'] })
    await streamer.publish('a', 'missed')
    const response = await ask(`?id=${id}`)
    expect(response.status).toBe(200)
    expect(Object.fromEntries(response.headers)).toEqual({
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    })
    const reader = new StreamReader(response)
    expect(infoOf((await reader.next())!)).toEqual({
      config: { client_id: id, client_ttl_millis: 60_000 },
      subscriptions: ['a'],
    })
    expect(await reader.next()).toMatchObject({ event: 'a', data: 'missed' })
    await streamer.publish('a', 'live')
    expect(await reader.next()).toMatchObject({ event: 'a', data: 'live' })
  })

  test('notices that the body is cancelled, and resumes behind the last event', async () => {
    const { streamer, ask } = newStreamer()
    const client = await streamer.newClient({ topics: ['a'] })
    const reader = new StreamReader(await ask(`?id=${client.id}`))
    await reader.next()
    await streamer.publish('a', 'seen')
    const cursor = (await reader.next())!.id!
    await reader.cancel()
    await connections(streamer, 0)
    expect((await streamer.getClient(client.id))!.connected).toBe(false)
    await streamer.publish('a', 'missed')
    const headers = { 'last-event-id': cursor }
    const again = new StreamReader(await ask(`?id=${client.id}`, { headers }))
    expect(await again.next()).toMatchObject({ id: cursor })
    expect(await again.next()).toMatchObject({ data: 'missed' })
  })

  test('resumes behind a first message after which nothing was read', async () => {
    const { streamer, ask } = newStreamer()
    const { id } = await streamer.newClient({ topics: ['a'] })
    await streamer.publish('a', 'early')
    const reader = new StreamReader(await ask(`?id=${id}`))
    const cursor = (await reader.next())!.id!
    await reader.cancel()
    const again = new StreamReader(await ask(`?id=${id}&last_event_id=${cursor}`))
    expect(await again.take(2)).toMatchObject([{ id: cursor }, { data: 'early' }])
  })

  test('closes a reader that never reads at the bound, and tells the client next time', async () => {
    const { streamer, ask } = newStreamer({ maxQueueBytes: 200_000, maxPayloadBytes: 50_000 })
    const { id } = await streamer.newClient({ topics: ['a'] })
    const stalled = new StreamReader(await ask(`?id=${id}`))
    await stalled.next()
    const sent: string[] = []
    await vi.waitFor(async () => {
      sent.push(`${sent.length} ${'x'.repeat(20_000)}`)
      await streamer.publish('a', sent.at(-1)!)
      expect((await streamer.status()).counters.slowConsumers).toBe(1)
    }, patient)
    expect(sent.length * 20_000).toBeGreaterThan(200_000)
    expect((await streamer.status()).connections).toBe(0)
    await expect(stalled.rest()).rejects.toThrow('could not keep up')

    const reader = new StreamReader(await ask(`?id=${id}&last_event_id=earliest`))
    const [, closing, ...events] = await reader.take(2 + sent.length)
    expect(infoOf(closing!)).toEqual({ closing: { reason: 'slow-consumer' } })
    expect(events.map(({ data }) => data)).toEqual(sent)
  })

  test('replays much more than the bound to a reader that takes its time', async () => {
    const { streamer, ask } = newStreamer({ maxQueueBytes: 100_000, maxPayloadBytes: 50_000 })
    const { id } = await streamer.newClient({ topics: ['a'] })
    const sent = Array.from({ length: 60 }, (_, i) => `${i} ${'x'.repeat(20_000)}`)
    for (const data of sent) await streamer.publish('a', data)
    const reader = new StreamReader(await ask(`?id=${id}`))
    const events = await reader.take(1 + sent.length)
    expect(events.slice(1).map(({ data }) => data)).toEqual(sent)
    expect((await streamer.status()).counters.slowConsumers).toBe(0)
  })

  test('is opened by its first reader, and given up if nobody reads it', async () => {
    const clock = new ManualClock()
    const { streamer, ask } = newStreamer({ clock })
    const { id } = await streamer.newClient({ topics: ['a'] })
    const unread = await ask(`?id=${id}`)
    const dropped = await ask(`?id=${id}`)
    await dropped.body!.cancel()
    expect((await streamer.status()).connections).toBe(0)
    expect((await streamer.getClient(id))!.connections).toHaveLength(1)
    clock.advance(30_000)
    expect((await streamer.getClient(id))!.connections).toHaveLength(0)
    expect(await unread.text()).toBe('')
    await streamer.publish('a', 'hello')
    const reader = new StreamReader(await ask(`?id=${id}`))
    expect((await reader.take(2))[1]).toMatchObject({ data: 'hello' })
    expect((await streamer.getClient(id))!.connected).toBe(true)
  })

  test('says why it ends, and ends the body', async () => {
    const { streamer, ask } = newStreamer()
    const client = await streamer.newClient()
    const reader = new StreamReader(await ask(`?id=${client.id}`))
    await reader.next()
    await client.close()
    expect((await reader.rest()).map(infoOf)).toEqual([{ closing: { reason: 'removed' } }])
  })

  test('closes the oldest connection past the cap, with word to stay away for an hour', async () => {
    const { streamer, ask } = newStreamer({ maxConnectionsPerClient: 2 })
    const { id } = await streamer.newClient()
    const readers: StreamReader[] = []
    for (let i = 0; i < 3; i++) {
      readers.push(new StreamReader(await ask(`?id=${id}`)))
      await readers[i]!.next()
    }
    expect((await readers[0]!.rest()).map(infoOf)).toEqual([
      { closing: { reason: 'too-many-connections' } },
    ])
    expect(readers[0]!.retries.at(-1)).toBe(3_600_000)
    expect((await streamer.getClient(id))!.connections).toHaveLength(2)
  })

  test('answers HEAD with the headers of GET and makes neither connection nor client', async () => {
    const { streamer, ask } = newStreamer({ anonymous: { topics: ['a'] } })
    const { id } = await streamer.newClient()
    for (const query of [`?id=${id}`, '?topic=a']) {
      const response = await ask(query, { method: 'HEAD' })
      expect(response.status).toBe(200)
      expect(response.headers.get('content-type')).toBe('text/event-stream')
      expect(response.body).toBeNull()
    }
    expect(await streamer.status()).toMatchObject({ connections: 0, clients: 1 })
  })

  test('answers OPTIONS by the cors option, and puts its headers on stream and problem', async () => {
    const cors = { origins: ['https://app.example'], credentials: true }
    const { streamer, ask } = newStreamer({ cors })
    const { id } = await streamer.newClient()
    const headers = { origin: 'https://app.example' }
    const preflight = await ask('', { method: 'OPTIONS', headers })
    const stream = await ask(`?id=${id}`, { headers })
    const problem = await ask('?id=unknown', { headers })
    expect([preflight, stream, problem].map(({ status }) => status)).toEqual([204, 200, 404])
    for (const response of [preflight, stream, problem]) {
      expect(Object.fromEntries(response.headers)).toMatchObject({
        'access-control-allow-origin': 'https://app.example',
        'access-control-allow-credentials': 'true',
        vary: 'Origin',
      })
    }
    await stream.body!.cancel()
    const foreign = await ask('?id=unknown', { headers: { origin: 'https://other.example' } })
    expect(foreign.headers.get('access-control-allow-origin')).toBeNull()
  })

  test('answers another method with 405 and Allow', async () => {
    const { ask } = newStreamer()
    const response = await ask('?id=x', { method: 'POST', body: 'x' })
    expect(response.status).toBe(405)
    expect(response.headers.get('allow')).toBe('GET, HEAD, OPTIONS')
    expect(await response.json()).toMatchObject({ code: 'method-not-allowed' })
  })

  test.each([
    ['no id', '', 400, 'client-id-required'],
    ['an empty id', '?id=', 400, 'client-id-required'],
    ['an unknown id', '?id=unknown', 404, 'client-not-found'],
    ['broken percent encoding', '?id=%E0%A4%A&%=%', 404, 'client-not-found'],
    ['a huge id', `?id=${'x'.repeat(100_000)}`, 404, 'client-not-found'],
  ])('answers %s with a problem', async (_, query, status, code) => {
    const { ask } = newStreamer()
    const response = await ask(query)
    expect(response.status).toBe(status)
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    expect(await response.json()).toMatchObject({ code, status })
  })

  test('answers a request after close() with a stream that says when to come back', async () => {
    const { streamer, ask } = newStreamer()
    const { id } = await streamer.newClient()
    await streamer.close()
    const response = await ask(`?id=${id}`)
    expect(response.status).toBe(200)
    const reader = new StreamReader(response)
    expect((await reader.rest()).map(infoOf)).toEqual([{ closing: { reason: 'shutdown' } }])
    expect(reader.retries).toHaveLength(1)
  })

  test('makes an anonymous client for a connection, and forgets it with its body', async () => {
    const { streamer, ask } = newStreamer({ anonymous: { topics: ['news.*'] } })
    const reader = new StreamReader(await ask('?topic=news.today'))
    expect(infoOf((await reader.next())!)).toMatchObject({ subscriptions: ['news.today'] })
    await reader.cancel()
    await vi.waitFor(async () => expect(await streamer.totalClients()).toBe(0), patient)
  })
})

function newStreamer(options: Partial<StreamerOptions> = {}): {
  streamer: Streamer
  /** Asks as any runtime does, and never over a network. */
  ask: (query: string, init?: RequestInit) => Promise<Response>
} {
  const streamer = new Streamer({ driver: loopbackDriver(), drainMs: 0, ...options })
  onTestFinished(() => streamer.close())
  return {
    streamer,
    ask: (query, init) => streamer.fetch(new Request(`https://relay.example/events${query}`, init)),
  }
}

async function connections(streamer: Streamer, count: number): Promise<void> {
  await vi.waitFor(async () => expect((await streamer.status()).connections).toBe(count), patient)
}
