import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { constants, createGzip } from 'node:zlib'
import compression from 'compression'
import { describe, expect, test, vi } from 'vitest'
import { type Streamer, systemClock } from '../src/index.ts'
import { infoOf, readEvents, topicEvents } from './support/event-blocks.ts'
import { RawConnection } from './support/raw-connection.ts'
import { type ServeOptions, serveStreamer } from './support/serve-streamer.ts'

/** How long an ended response may take to leave before its socket is closed. */
const END_TIMEOUT_MS = 2_000
const patient = { timeout: 10_000, interval: 10 }

describe('HTTP/1.0', () => {
  test('gets the bare stream, and the connection ends with it', async () => {
    const { streamer, port } = await serveStreamer()
    const client = await streamer.newClient({ topics: ['news'] })
    const raw = await RawConnection.to(port)
    raw.send(`GET /events?id=${client.id} HTTP/1.0\r\n\r\n`)
    await raw.until('"subscriptions":["news"]')
    await streamer.publish('news', 'hello')
    await raw.until('data: hello\n\n')
    const closed = once(raw.socket, 'close')
    await client.close()
    await closed
    const [answer] = raw.answers()
    expect(answer!.head).not.toMatch(/transfer-encoding/i)
    expect(topicEvents(answer!.read)).toMatchObject([{ event: 'news', data: 'hello' }])
    expect(answer!.body).toMatch(/data: \{"closing":\{"reason":"removed"\}\}\n\n$/)
  })
})

describe('HEAD', () => {
  test('gets the headers of GET, no body, no connection and no client', async () => {
    const { streamer, url } = await serveStreamer({ anonymous: { topics: ['a'] } })
    const { id } = await streamer.newClient()
    const got = await fetch(url(id))
    const headersOfGet = streamHeaders(got)
    await got.body!.cancel()
    await vi.waitFor(async () => expect((await streamer.status()).connections).toBe(0), patient)
    for (const address of [url(id), url(id).replace(/\?.*/, '?topic=a')]) {
      const response = await fetch(address, { method: 'HEAD' })
      expect(response.status).toBe(200)
      expect(streamHeaders(response)).toEqual(headersOfGet)
      expect(await response.text()).toBe('')
    }
    expect(await streamer.status()).toMatchObject({ connections: 0, clients: 1 })
  })

  test('gets the status of GET for an id that there is not, and for none', async () => {
    const { url, origin } = await serveStreamer()
    expect((await fetch(url('unknown'), { method: 'HEAD' })).status).toBe(404)
    expect((await fetch(`${origin}/events`, { method: 'HEAD' })).status).toBe(400)
  })

  test('does not count as the first connection of a client', async () => {
    const { streamer, port, url } = await serveStreamer()
    const { id } = await streamer.newClient({ topics: ['a'] })
    await streamer.publish('a', 'missed')
    await fetch(url(id), { method: 'HEAD' })
    const raw = await RawConnection.to(port)
    raw.get(`/events?id=${id}`)
    await raw.until('data: missed\n\n')
    expect(topicEvents(raw.answers()[0]!.read)).toMatchObject([{ event: 'a', data: 'missed' }])
  })
})

describe('OPTIONS', () => {
  const preflight = {
    method: 'OPTIONS',
    headers: {
      origin: 'https://app.example',
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'last-event-id',
    },
  }

  test('gets 204 that allows nothing to other origins, without the cors option', async () => {
    const { origin } = await serveStreamer()
    const response = await fetch(`${origin}/events`, preflight)
    expect(response.status).toBe(204)
    expect(response.headers.get('allow')).toBe('GET, HEAD, OPTIONS')
    expect([...response.headers.keys()].filter((name) => name.startsWith('access-'))).toEqual([])
  })

  test('gets what the cors option allows', async () => {
    const cors = { origins: ['https://app.example'], credentials: true }
    const { origin } = await serveStreamer({ cors })
    const { status, headers } = await fetch(`${origin}/events`, preflight)
    expect(status).toBe(204)
    expect(Object.fromEntries(headers)).toMatchObject({
      'access-control-allow-origin': 'https://app.example',
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'GET, HEAD, OPTIONS',
      'access-control-allow-headers': 'last-event-id',
      vary: 'Origin',
    })
  })

  test('gets nothing for an origin that the cors option does not name', async () => {
    const { origin } = await serveStreamer({ cors: { origins: ['https://other.example'] } })
    const { status, headers } = await fetch(`${origin}/events`, preflight)
    expect(status).toBe(204)
    expect(headers.get('access-control-allow-origin')).toBeNull()
    expect(headers.get('vary')).toBe('Origin')
  })
})

describe('another method', () => {
  test.each(['POST', 'PUT', 'PATCH', 'DELETE'])('%s gets 405 with Allow', async (method) => {
    const { streamer, url } = await serveStreamer()
    const { id } = await streamer.newClient()
    const response = await fetch(url(id), { method, body: 'x'.repeat(100_000) })
    expect(response.status).toBe(405)
    expect(response.headers.get('allow')).toBe('GET, HEAD, OPTIONS')
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    expect(await response.json()).toMatchObject({ code: 'method-not-allowed', status: 405 })
  })
})

describe('pipelined requests', () => {
  test('get the first stream uncorrupted while the second waits, and then the second', async () => {
    const { streamer, port } = await serveStreamer()
    const [first, second] = [
      await streamer.newClient({ topics: ['a'] }),
      await streamer.newClient({ topics: ['a'] }),
    ]
    const raw = await RawConnection.to(port)
    raw.send(
      `GET /events?id=${first.id} HTTP/1.1\r\nHost: test\r\n\r\n` +
        `GET /events?id=${second.id} HTTP/1.1\r\nHost: test\r\n\r\n`,
    )
    await raw.until(first.id)
    await connections(streamer, 2)
    for (let i = 0; i < 20; i++) await streamer.publish('a', `event ${i}`)
    await raw.until('data: event 19\n\n')
    expect(raw.received).not.toContain(second.id)
    await first.close()
    await raw.until(second.id)
    await streamer.publish('a', 'late')
    await raw.until('data: late\n\n')
    const [one, two] = raw.answers()
    expect(one!.ended).toBe(true)
    const published = Array.from({ length: 20 }, (_, i) => `event ${i}`)
    expect(topicEvents(one!.read).map(({ data }) => data)).toEqual(published)
    expect(topicEvents(two!.read).map(({ data }) => data)).toEqual([...published, 'late'])
  })

  test('leave no connection behind when their socket goes while the second waits', async () => {
    const { streamer, port } = await serveStreamer()
    const [first, second] = [await streamer.newClient(), await streamer.newClient()]
    const raw = await RawConnection.to(port)
    raw.send(
      `GET /events?id=${first.id} HTTP/1.1\r\nHost: test\r\n\r\n` +
        `GET /events?id=${second.id} HTTP/1.1\r\nHost: test\r\n\r\n`,
    )
    await connections(streamer, 2)
    raw.socket.destroy()
    await connections(streamer, 0)
    expect((await streamer.getClient(second.id))!.connected).toBe(false)
  })

  test('get a stream behind an answer that is still being written', async () => {
    let first: ServerResponse | undefined
    const { streamer, port } = await serveStreamer({
      mount: (to) => (request, response) => {
        if (request.url !== '/plain') return to.listener(request, response)
        response.write('plain ')
        first = response
      },
    })
    const { id } = await streamer.newClient({ topics: ['a'] })
    const raw = await RawConnection.to(port)
    raw.send(
      'GET /plain HTTP/1.1\r\nHost: test\r\n\r\n' +
        `GET /events?id=${id} HTTP/1.1\r\nHost: test\r\n\r\n`,
    )
    await connections(streamer, 1)
    await streamer.publish('a', 'while it waits')
    first!.end('answer')
    await raw.until('while it waits')
    await streamer.publish('a', 'live')
    await raw.until('data: live\n\n')
    const [plain, stream] = raw.answers()
    expect(plain!.body).toBe('plain answer')
    expect(topicEvents(stream!.read).map(({ data }) => data)).toEqual(['while it waits', 'live'])
  })
})

describe('a connection that is kept alive', () => {
  test('carries a second stream after the server ended the first, and is not cut', async () => {
    const giveUps: (() => void)[] = []
    const { streamer, port } = await serveStreamer({
      clock: {
        ...systemClock,
        after(...timer) {
          const [ms, run] = timer
          if (ms !== END_TIMEOUT_MS) return systemClock.after(...timer)
          giveUps.push(run)
          return () => {}
        },
      },
    })
    const [first, second] = [
      await streamer.newClient(),
      await streamer.newClient({ topics: ['a'] }),
    ]
    const raw = await RawConnection.to(port)
    raw.get(`/events?id=${first.id}`)
    await raw.until(first.id)
    await first.close()
    await vi.waitFor(() => expect(raw.answers()[0]?.ended).toBe(true), patient)
    expect(giveUps).toHaveLength(1)

    raw.get(`/events?id=${second.id}`)
    await raw.until(second.id)
    giveUps[0]!()
    await streamer.publish('a', 'still here')
    await raw.until('data: still here\n\n')
    expect(raw.answers()).toHaveLength(2)
  })
})

describe('a middleware that compresses', () => {
  test('leaves the stream alone, since it must not be transformed', async () => {
    const compress = compression({ threshold: 0 }) as RequestListenerWithNext
    const { streamer, url } = await serveStreamer({
      mount: (to) => (request, response) =>
        compress(request, response, () => to.listener(request, response)),
    })
    const { id } = await streamer.newClient({ topics: ['a'] })
    const response = await fetch(url(id), { headers: { 'accept-encoding': 'gzip' } })
    expect(response.headers.get('content-encoding')).toBeNull()
    await expectAtOnce(streamer, response)
  })

  test('that does so all the same has every event flushed', async () => {
    const { streamer, url } = await serveStreamer({
      mount: (to) => (request, response) => {
        gzip(response)
        to.listener(request, response)
      },
    })
    const { id } = await streamer.newClient({ topics: ['a'] })
    const response = await fetch(url(id), { headers: { 'accept-encoding': 'gzip' } })
    expect(response.headers.get('content-encoding')).toBe('gzip')
    await expectAtOnce(streamer, response)
  })
})

describe('a middleware that wraps write', () => {
  test('sees all that is sent', async () => {
    let seen = ''
    const { streamer, url } = await serveStreamer({
      mount: (to) => (request, response) => {
        const write = response.write.bind(response) as (bytes: Uint8Array) => boolean
        response.write = (bytes: Uint8Array) => {
          seen += Buffer.from(bytes).toString()
          return write(bytes)
        }
        to.listener(request, response)
      },
    })
    const { id } = await streamer.newClient({ topics: ['a'] })
    await expectAtOnce(streamer, await fetch(url(id)))
    expect(topicEvents(readEvents(seen))).toHaveLength(3)
  })
})

describe('what the application set before', () => {
  test('is kept on the stream: its headers, its cookies, and its Vary beside ours', async () => {
    const { streamer, url } = await serveStreamer(dressed())
    const { id } = await streamer.newClient()
    const response = await fetch(url(id), { headers: { origin: 'https://app.example' } })
    await response.body!.cancel()
    expectDressed(response)
    expect(response.headers.get('content-type')).toBe('text/event-stream')
  })

  test.each([
    ['a problem', 'GET', 404],
    ['a preflight', 'OPTIONS', 204],
    ['HEAD', 'HEAD', 404],
  ])('is kept on %s', async (_, method, status) => {
    const { url } = await serveStreamer(dressed())
    const response = await fetch(url('unknown'), {
      method,
      headers: { origin: 'https://app.example' },
    })
    expect(response.status).toBe(status)
    expectDressed(response)
  })
})

describe('a socket cut right after the first message', () => {
  test('loses nothing: the cursor of that message resumes before all that was missed', async () => {
    const { streamer, port } = await serveStreamer()
    const { id } = await streamer.newClient({ topics: ['a'] })
    const missed = Array.from({ length: 50 }, (_, i) => `event ${i}`)
    for (const data of missed) await streamer.publish('a', data)
    const cut = await RawConnection.to(port)
    cut.get(`/events?id=${id}`)
    await cut.until('subscriptions')
    const first = /^id: (.*)$/m.exec(cut.received)![1]!
    cut.socket.destroy()
    await connections(streamer, 0)
    await streamer.publish('a', 'meanwhile')

    const again = await RawConnection.to(port)
    again.get(`/events?id=${id}`, `Last-Event-ID: ${first}\r\n`)
    await again.until('data: meanwhile\n\n')
    const { events } = again.answers()[0]!.read
    expect(events[0]!.id).toBe(first)
    expect(infoOf(events[0]!)).toHaveProperty('config')
    expect(events.slice(1).map(({ data }) => data)).toEqual([...missed, 'meanwhile'])
  })
})

type RequestListenerWithNext = (
  request: IncomingMessage,
  response: ServerResponse,
  next: () => void,
) => void

async function connections(streamer: Streamer, count: number): Promise<void> {
  await vi.waitFor(async () => expect((await streamer.status()).connections).toBe(count), patient)
}

function streamHeaders({ headers }: Response): Record<string, string> {
  const all = Object.fromEntries(headers)
  for (const name of ['date', 'connection', 'keep-alive', 'transfer-encoding']) delete all[name]
  return all
}

/** Each event must be there before the next one is published. */
async function expectAtOnce(streamer: Streamer, response: Response): Promise<void> {
  let text = ''
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  for (let i = 0; i < 3; i++) {
    await streamer.publish('a', `event ${i}`)
    while (!text.includes(`data: event ${i}\n\n`)) text += (await reader.read()).value
  }
  await reader.cancel()
  expect(topicEvents(readEvents(text)).map(({ data }) => data)).toEqual([
    'event 0',
    'event 1',
    'event 2',
  ])
}

/** Compresses whatever passes, though it is told not to. */
function gzip(response: ServerResponse): void {
  const zip = createGzip()
  const write = response.write.bind(response)
  const end = response.end.bind(response)
  zip.on('data', write)
  zip.on('end', end)
  Object.assign(response, {
    write: (bytes: Uint8Array) => zip.write(bytes),
    end: () => zip.end(),
    flush: () => zip.flush(constants.Z_SYNC_FLUSH),
  })
  response.setHeader('Content-Encoding', 'gzip')
}

/** An application that sets headers of its own and then hands over. */
function dressed(): ServeOptions {
  return {
    cors: { origins: ['https://app.example'] },
    mount: (to) => (request, response) => {
      response.setHeader('X-Request-Id', '7')
      response.setHeader('Set-Cookie', ['a=1', 'b=2'])
      response.setHeader('Vary', 'Cookie')
      to.listener(request, response)
    },
  }
}

function expectDressed({ headers }: Response): void {
  expect(headers.get('x-request-id')).toBe('7')
  expect(headers.getSetCookie()).toEqual(['a=1', 'b=2'])
  expect(headers.get('vary')?.split(/, */)).toEqual(['Cookie', 'Origin'])
  expect(headers.get('access-control-allow-origin')).toBe('https://app.example')
}
