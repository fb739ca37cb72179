import { once } from 'node:events'
import type { Client, Streamer } from '@asbru/core'
import { events } from '@asbru/hono'
import { EventSource } from 'eventsource'
import { type Context, Hono } from 'hono'
import { bearerAuth } from 'hono/bearer-auth'
import { compress } from 'hono/compress'
import { getCookie } from 'hono/cookie'
import { cors } from 'hono/cors'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { eventsOf } from './support/event-reader.ts'
import { newStreamer } from './support/new-streamer.ts'
import { type MountedApp, runtimes } from './support/runtimes.ts'

describe.each(runtimes)('events() in $name', ({ mount }) => {
  function mountEvents(streamer: Streamer): Promise<MountedApp> {
    return mount(new Hono().all('/events', events(streamer)))
  }

  test('sends the first message at once, and then what is published', async () => {
    const streamer = newStreamer()
    const { id } = await streamer.newClient({ topics: ['news'] })
    const app = await mountEvents(streamer)
    const response = await app.ask(`/events?id=${id}`)

    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    expect(response.headers.get('cache-control')).toBe('no-cache, no-transform')
    expect(response.headers.get('x-accel-buffering')).toBe('no')
    expect(response.headers.get('x-hono-already-sent')).toBeNull()
    const reader = eventsOf(response)
    expect(JSON.parse((await reader.next())!.data)).toEqual({
      config: { client_id: id, client_ttl_millis: 60_000 },
      subscriptions: ['news'],
    })
    await streamer.publish('news', 'first')
    await streamer.publish('news', 'second')
    expect(await reader.next()).toMatchObject({ event: 'news', data: 'first' })
    expect(await reader.next()).toMatchObject({ event: 'news', data: 'second' })
  })

  test('resumes after the event that the reader had last', async () => {
    const streamer = newStreamer()
    const { id } = await streamer.newClient({ topics: ['news'] })
    const app = await mountEvents(streamer)
    const before = eventsOf(await app.ask(`/events?id=${id}`))
    await before.next()
    await streamer.publish('news', 'seen')
    const seen = await before.next()
    await before.cancel()
    await streamer.publish('news', 'missed')

    const headers = { 'last-event-id': seen!.id! }
    const after = eventsOf(await app.ask(`/events?id=${id}`, { headers }))
    expect(await after.next()).toMatchObject({ id: seen!.id })
    expect(await after.next()).toMatchObject({ data: 'missed' })
  })

  test('notices that a reader went away', async () => {
    const streamer = newStreamer()
    const { id } = await streamer.newClient()
    const app = await mountEvents(streamer)
    const reader = eventsOf(await app.ask(`/events?id=${id}`))
    await reader.next()
    expect(await connected(streamer, id)).toBe(true)

    await reader.cancel()
    await vi.waitFor(async () => expect(await connected(streamer, id)).toBe(false))
  })

  test('tells a reader that its client was removed, and ends the stream', async () => {
    const streamer = newStreamer()
    const client = await streamer.newClient()
    const app = await mountEvents(streamer)
    const reader = eventsOf(await app.ask(`/events?id=${client.id}`))
    await reader.next()

    await client.close()
    expect(await reader.next()).toMatchObject({ data: '{"closing":{"reason":"removed"}}' })
    expect(await reader.next()).toBeUndefined()
  })

  test('stops an EventSource for good once its client is removed', async () => {
    const streamer = newStreamer({ retryMs: 10 })
    const client = await streamer.newClient({ topics: ['news'] })
    const app = await mountEvents(streamer)
    const source = new EventSource('http://localhost', {
      fetch: (_url, init) => app.ask(`/events?id=${client.id}`, init),
    })
    onTestFinished(() => source.close())
    const heard: string[] = []
    source.addEventListener('news', ({ data }) => heard.push(data))
    await once(source, 'message')
    await streamer.publish('news', 'heard')
    await vi.waitFor(() => expect(heard).toEqual(['heard']))

    await client.close()
    await vi.waitFor(() => expect(source.readyState).toBe(EventSource.CLOSED))
  })

  describe('behind middleware', () => {
    test('serves those whom an auth middleware lets pass', async () => {
      const streamer = newStreamer()
      const { id } = await streamer.newClient()
      const hono = new Hono()
      hono.use('/events', bearerAuth({ token: 'sesame' }))
      hono.all('/events', events(streamer))
      const app = await mount(hono)

      expect((await app.ask(`/events?id=${id}`)).status).toBe(401)
      expect(await connected(streamer, id)).toBe(false)
      const headers = { authorization: 'Bearer sesame' }
      const reader = eventsOf(await app.ask(`/events?id=${id}`, { headers }))
      expect(await reader.next()).toBeDefined()
    })

    test('keeps the headers that were set before, on a stream and on a refusal', async () => {
      const streamer = newStreamer()
      const { id } = await streamer.newClient()
      const hono = new Hono()
      hono.use('/events', cors({ origin: 'https://app.example.com', credentials: true }))
      hono.use('/events', async (c, next) => {
        c.header('X-Request-Id', '42')
        c.header('Set-Cookie', 'a=1', { append: true })
        c.header('Set-Cookie', 'b=2', { append: true })
        await next()
      })
      hono.all('/events', events(streamer))
      const app = await mount(hono)
      const init = { headers: { origin: 'https://app.example.com' } }

      for (const path of [`/events?id=${id}`, '/events?id=unknown']) {
        const { headers, body } = await app.ask(path, init)
        expect(headers.get('access-control-allow-origin')).toBe('https://app.example.com')
        expect(headers.get('access-control-allow-credentials')).toBe('true')
        expect(headers.get('x-request-id')).toBe('42')
        expect(headers.getSetCookie()).toEqual(['a=1', 'b=2'])
        await body!.cancel()
      }
    })

    test('keeps a header that only `c.header()` set', async () => {
      const streamer = newStreamer()
      const { id } = await streamer.newClient()
      const hono = new Hono()
      hono.use('/events', async (c, next) => {
        c.header('X-Request-Id', '42')
        await next()
      })
      hono.all('/events', events(streamer))
      const app = await mount(hono)

      for (const path of [`/events?id=${id}`, '/events?id=unknown']) {
        const { headers, body } = await app.ask(path)
        expect(headers.get('x-request-id')).toBe('42')
        await body!.cancel()
      }
    })

    test('lets no middleware say what the stream says itself, and adds to `Vary`', async () => {
      const streamer = newStreamer({ cors: { origins: ['https://app.example.com'] } })
      const { id } = await streamer.newClient()
      const hono = new Hono()
      hono.use('/events', async (c, next) => {
        c.header('Cache-Control', 'public, max-age=60')
        c.header('Content-Type', 'text/html')
        c.header('Content-Length', '3')
        c.header('Vary', 'Cookie')
        await next()
      })
      hono.all('/events', events(streamer))
      const app = await mount(hono)
      const response = await app.ask(`/events?id=${id}`)

      expect(response.headers.get('cache-control')).toBe('no-cache, no-transform')
      expect(response.headers.get('content-type')).toBe('text/event-stream')
      expect(response.headers.get('content-length')).toBeNull()
      expect(response.headers.get('vary')).toBe('Cookie, Origin')
      expect(await eventsOf(response).next()).toBeDefined()
    })

    test('goes on when a header is set after `next()`', async () => {
      const streamer = newStreamer()
      const { id } = await streamer.newClient({ topics: ['news'] })
      const hono = new Hono()
      hono.use('/events', async (c, next) => {
        await next()
        c.header('X-Late', '1')
        c.res.headers.set('X-Later', '2')
      })
      hono.all('/events', events(streamer))
      const app = await mount(hono)
      const reader = eventsOf(await app.ask(`/events?id=${id}`))

      await reader.next()
      await streamer.publish('news', 'still here')
      expect(await reader.next()).toMatchObject({ data: 'still here' })
      expect(await connected(streamer, id)).toBe(true)
    })

    test('is neither compressed nor held back by a compressing middleware', async () => {
      const streamer = newStreamer()
      const { id } = await streamer.newClient({ topics: ['news'] })
      const hono = new Hono()
      hono.use(compress({ threshold: 0, contentTypeFilter: () => true }))
      hono.all('/events', events(streamer))
      const app = await mount(hono)
      const headers = { 'accept-encoding': 'gzip' }
      const response = await app.ask(`/events?id=${id}`, { headers })

      expect(response.headers.get('content-encoding')).toBeNull()
      const reader = eventsOf(response)
      await reader.next()
      await streamer.publish('news', 'at once')
      expect(await reader.next()).toMatchObject({ data: 'at once' })
    })
  })

  describe('with `clientId`', () => {
    test('takes the id from a cookie, and none from the query', async () => {
      const streamer = newStreamer()
      const { id } = await streamer.newClient()
      const hono = new Hono()
      hono.all('/events', events(streamer, { clientId: (c) => getCookie(c, 'client') }))
      const app = await mount(hono)

      const headers = { cookie: `client=${id}` }
      const reader = eventsOf(await app.ask('/events?id=other', { headers }))
      expect((await reader.next())!.data).toContain(id)
      const refused = await app.ask(`/events?id=${id}`)
      expect(refused.status).toBe(400)
      expect(await refused.json()).toMatchObject({ code: 'client-id-required' })
    })

    test('waits for the id, with the variables of the application at hand', async () => {
      const streamer = newStreamer()
      const client = await streamer.newClient()
      type WithSession = { Variables: { session: { client: string } } }
      const hono = new Hono<WithSession>()
      hono.use(async (c, next) => {
        c.set('session', { client: client.id })
        await next()
      })
      const clientId = async (c: Context<WithSession>): Promise<string> => c.get('session').client
      hono.all('/events', events(streamer, { clientId }))
      const app = await mount(hono)

      const reader = eventsOf(await app.ask('/events'))
      expect((await reader.next())!.data).toContain(client.id)
    })

    test('makes an anonymous client where there is no id', async () => {
      const streamer = newStreamer({ anonymous: { topics: ['news'] } })
      const hono = new Hono()
      hono.all('/events', events(streamer, { clientId: () => undefined }))
      const app = await mount(hono)

      const reader = eventsOf(await app.ask('/events?topic=news'))
      expect((await reader.next())!.data).toContain('"subscriptions":["news"]')
    })
  })

  describe('answers without a stream', () => {
    test('HEAD: the headers of GET, no connection', async () => {
      const streamer = newStreamer()
      const { id } = await streamer.newClient()
      const app = await mountEvents(streamer)
      const response = await app.ask(`/events?id=${id}`, { method: 'HEAD' })

      expect(response.status).toBe(200)
      expect(response.headers.get('content-type')).toBe('text/event-stream')
      expect(await response.text()).toBe('')
      expect(await connected(streamer, id)).toBe(false)
    })

    test('OPTIONS: what the `cors` option allows', async () => {
      const streamer = newStreamer({ cors: { origins: ['https://app.example.com'] } })
      const app = await mountEvents(streamer)
      const headers = { origin: 'https://app.example.com' }
      const response = await app.ask('/events', { method: 'OPTIONS', headers })

      expect(response.status).toBe(204)
      expect(response.headers.get('access-control-allow-origin')).toBe('https://app.example.com')
      expect(response.headers.get('access-control-allow-methods')).toBe('GET, HEAD, OPTIONS')
    })

    test('another method: 405 with what is allowed', async () => {
      const app = await mountEvents(newStreamer())
      const response = await app.ask('/events', { method: 'POST', body: 'x' })

      expect(response.status).toBe(405)
      expect(response.headers.get('allow')).toBe('GET, HEAD, OPTIONS')
      expect(await response.json()).toMatchObject({ code: 'method-not-allowed' })
    })

    test('an unknown client: a 404 problem', async () => {
      const app = await mountEvents(newStreamer())
      const response = await app.ask('/events?id=nobody-knows-it')

      expect(response.status).toBe(404)
      expect(response.headers.get('content-type')).toBe('application/problem+json')
      const problem = await response.json()
      expect(problem).toMatchObject({ code: 'client-not-found', status: 404 })
      expect(JSON.stringify(problem)).not.toContain('nobody-knows-it')
    })

    test('a draining replica: a closing message', async () => {
      const streamer = newStreamer()
      const { id } = await streamer.newClient()
      const app = await mountEvents(streamer)
      await streamer.close()

      const reader = eventsOf(await app.ask(`/events?id=${id}`))
      expect(await reader.next()).toMatchObject({ data: '{"closing":{"reason":"shutdown"}}' })
      expect(await reader.next()).toBeUndefined()
    })

    test('a hook that answers itself, also with what `fetch` gave it', async () => {
      const asked: { client: Client; path: string }[] = []
      const streamer = newStreamer({
        authorizeConnection: ({ request, client }) => {
          asked.push({ client, path: new URL(request.url).pathname })
          return fetch('data:text/plain,the%20guard%20says%20no')
        },
      })
      const { id } = await streamer.newClient()
      const app = await mountEvents(streamer)

      const response = await app.ask(`/events?id=${id}`)
      expect(await response.text()).toBe('the guard says no')
      expect(asked).toMatchObject([{ client: { id }, path: '/events' }])
      expect(await connected(streamer, id)).toBe(false)
    })
  })
})

async function connected(streamer: Streamer, id: string): Promise<boolean | undefined> {
  return (await streamer.getClient(id))?.connected
}
