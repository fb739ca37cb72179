import { once } from 'node:events'
import { type IncomingMessage, ServerResponse } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Streamer } from '@asbru/core'
import { events } from '@asbru/hono'
import { EventSource } from 'eventsource'
import { type Context, Hono, type MiddlewareHandler } from 'hono'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { deferred } from './support/deferred.ts'
import { eventsOf } from './support/event-reader.ts'
import { newStreamer } from './support/new-streamer.ts'
import { serve } from './support/runtimes.ts'

describe('events() under @hono/node-server', () => {
  test('writes to the socket, past the response', async () => {
    const write = vi.spyOn(ServerResponse.prototype, 'write')
    onTestFinished(() => write.mockRestore())
    const streamer = newStreamer()
    const { id } = await streamer.newClient({ topics: ['news'] })
    const { origin } = await serve(new Hono().all('/events', events(streamer)))
    const reader = eventsOf(await fetch(`${origin}/events?id=${id}`))

    await reader.next()
    await streamer.publish('news', 'fast')
    expect(await reader.next()).toMatchObject({ data: 'fast' })
    expect(write).not.toHaveBeenCalled()
  })

  test.each<[string, MiddlewareHandler]>([
    [
      'sets a header',
      async (c, next) => {
        await next()
        c.header('X-Late', '1')
      },
    ],
    [
      'puts another answer in place of it',
      async (c, next) => {
        await next()
        c.res = new Response('INTRUDER')
      },
    ],
    [
      'puts a stream in place of it that fails',
      async (c, next) => {
        await next()
        c.res = new Response(
          new ReadableStream({
            start: (controller) => controller.enqueue(new TextEncoder().encode('INTRUDER')),
            pull: (controller) => controller.error(new Error('INTRUDER')),
          }),
        )
      },
    ],
    [
      'writes to the response of Node',
      async (c, next) => {
        await next()
        const { outgoing } = c.env as { outgoing: ServerResponse }
        outgoing.setHeader('X-Late', 'INTRUDER')
        outgoing.writeHead(500)
        outgoing.write('INTRUDER')
        outgoing.end('INTRUDER')
      },
    ],
    [
      'throws',
      async (_c, next) => {
        await next()
        throw new Error('INTRUDER')
      },
    ],
  ])('leaves the stream alone when a middleware %s after `next()`', async (_what, middleware) => {
    // `@hono/node-server` tells of an answer that fails.
    const console = vi.spyOn(globalThis.console, 'error').mockReturnValue()
    onTestFinished(() => console.mockRestore())
    const streamer = newStreamer()
    const { id } = await streamer.newClient({ topics: ['news'] })
    const settled = deferred()
    const hono = new Hono()
    hono.onError((error, c) => c.text(error.message, 500))
    hono.use(async (_c, next) => {
      await next()
      setImmediate(() => settled.resolve())
    })
    hono.use(middleware)
    hono.all('/events', events(streamer))
    const { port } = await serve(hono)
    const read = readRaw(port, `/events?id=${id}`)

    await settled.promise
    await streamer.publish('news', 'the last of it')
    await vi.waitFor(() => expect(read()).toContain('the last of it'))
    expect(read().match(/^HTTP\/1\.1 /gm)).toHaveLength(1)
    expect(read().match(/^transfer-encoding:/gim)).toHaveLength(1)
    expect(read()).not.toContain('INTRUDER')
    expect((await streamer.getClient(id))?.connected).toBe(true)
  })

  test('resumes the same EventSource after its socket was cut', async () => {
    const streamer = newStreamer({ retryMs: 10 })
    const { id } = await streamer.newClient({ topics: ['news'] })
    const { server, origin } = await serve(new Hono().all('/events', events(streamer)))
    const source = new EventSource(`${origin}/events?id=${id}`)
    onTestFinished(() => source.close())
    const heard: string[] = []
    source.addEventListener('news', ({ data }) => heard.push(data))
    await once(source, 'message')
    await streamer.publish('news', 'before')
    await vi.waitFor(() => expect(heard).toEqual(['before']))

    server.closeAllConnections()
    await streamer.publish('news', 'meanwhile')
    await vi.waitFor(() => expect(heard).toEqual(['before', 'meanwhile']))
  })

  test('does not keep the context of a request while its stream is open', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const streamer = newStreamer()
    const { id } = await streamer.newClient({ topics: ['news'] })
    const contexts: WeakRef<Context>[] = []
    const hono = new Hono()
    hono.use(async (c, next) => {
      contexts.push(new WeakRef(c))
      await next()
    })
    hono.all('/events', events(streamer))
    const { origin } = await serve(hono)
    const reader = eventsOf(await fetch(`${origin}/events?id=${id}`))
    await reader.next()

    expect(contexts).toHaveLength(1)
    await vi.waitFor(() => {
      collect()
      expect(contexts[0]!.deref()).toBeUndefined()
    })
    await streamer.publish('news', 'open')
    expect(await reader.next()).toMatchObject({ data: 'open' })
  })

  test('opens a stream for a request whose body a middleware has read', async () => {
    const streamer = newStreamer()
    const { id } = await streamer.newClient()
    const hono = new Hono<{ Bindings: { incoming: IncomingMessage } }>()
    hono.use(async (c, next) => {
      c.env.incoming.resume()
      await once(c.env.incoming, 'close')
      await next()
    })
    hono.all('/events', events(streamer))
    const { origin } = await serve(hono)

    const reader = eventsOf(await fetch(`${origin}/events?id=${id}`))
    expect((await reader.next())!.data).toContain(id)
  })

  test('gives up on a reader who left before the stream opened', async () => {
    const { streamer, asked, answer, hono, id } = await appThatHesitates()
    const { port } = await serve(hono)
    const socket = connect(port, '127.0.0.1')
    socket.write('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n')
    const c = await asked
    const closed = once((c.env as { outgoing: ServerResponse }).outgoing, 'close')
    socket.destroy()
    await closed

    await answer()
    await expectAbandoned(streamer, id)
  })
})

describe('events() over HTTP/2', () => {
  test('sends the first message, what is published, and headers that were set before', async () => {
    const streamer = newStreamer()
    const { id } = await streamer.newClient({ topics: ['news'] })
    const hono = new Hono()
    hono.use(async (c, next) => {
      c.header('X-Before', '1')
      await next()
      c.header('X-Late', '2')
    })
    hono.all('/events', events(streamer))
    const { origin } = await serve(hono, { http2: true })
    const stream = requestHttp2(origin, `/events?id=${id}`)
    const [headers] = (await once(stream, 'response')) as [Record<string, string>]
    let text = ''
    stream.setEncoding('utf8').on('data', (data: string) => (text += data))

    expect(headers).toMatchObject({ ':status': 200, 'x-before': '1' })
    expect(headers['content-type']).toBe('text/event-stream')
    await vi.waitFor(() => expect(text).toContain('"subscriptions":["news"]'))
    await streamer.publish('news', 'over HTTP/2')
    await vi.waitFor(() => expect(text).toContain('data: over HTTP/2\n'))
    stream.close()
    await vi.waitFor(async () => expect((await streamer.getClient(id))?.connected).toBe(false))
  })

  test('gives up on a reader who left before the stream opened', async () => {
    const { streamer, asked, answer, hono, id } = await appThatHesitates()
    const { origin } = await serve(hono, { http2: true })
    const stream = requestHttp2(origin, '/events')
    const c = await asked
    const closed = once((c.env as { outgoing: ServerResponse }).outgoing, 'close')
    stream.close()
    await closed

    await answer()
    await expectAbandoned(streamer, id)
  })
})

describe('events() in a fetch runtime', () => {
  test('gives up on a reader who left before the stream opened', async () => {
    const { streamer, asked, answer, hono, id } = await appThatHesitates()
    const aborted = new AbortController()
    const response = hono.request('/events', { signal: aborted.signal })
    await asked
    aborted.abort()

    await answer()
    expect(await (await response).text()).toBe('')
    await expectAbandoned(streamer, id)
  })
})

/** An app that does not know who asks before `answer()` is called, which waits for the handler. */
async function appThatHesitates(): Promise<{
  streamer: Streamer
  id: string
  asked: Promise<Context>
  answer: () => Promise<void>
  hono: Hono
}> {
  const streamer = newStreamer({ clientTtlMs: 60_000 })
  const { id } = await streamer.newClient()
  const asked = deferred<Context>()
  const answered = deferred()
  const handled = deferred()
  const hono = new Hono()
  const clientId = async (c: Context): Promise<string> => {
    asked.resolve(c)
    await answered.promise
    return id
  }
  hono.use(async (_c, next) => {
    await next()
    handled.resolve()
  })
  hono.all('/events', events(streamer, { clientId }))
  const answer = (): Promise<void> => {
    answered.resolve()
    return handled.promise
  }
  return { streamer, id, asked: asked.promise, answer, hono }
}

async function expectAbandoned(streamer: Streamer, id: string): Promise<void> {
  expect((await streamer.status()).connections).toBe(0)
  await vi.waitFor(async () => expect((await streamer.getClient(id))?.connected).toBe(false))
}

/** Sends a GET over a bare socket; returns what came back so far. */
function readRaw(port: number, path: string): () => string {
  let text = ''
  const socket = connect(port, '127.0.0.1')
  socket.setEncoding('utf8').on('data', (data: string) => (text += data))
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
  onTestFinished(() => void socket.destroy())
  return () => text
}

function requestHttp2(
  origin: string,
  path: string,
): ReturnType<ReturnType<typeof connectHttp2>['request']> {
  const session = connectHttp2(origin)
  onTestFinished(() => session.destroy())
  return session.request({ ':path': path })
}
