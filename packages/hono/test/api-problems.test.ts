import { Buffer } from 'node:buffer'
import type { Logger } from '@asbru/core'
import { api } from '@asbru/hono'
import { Hono } from 'hono'
import { cors } from 'hono/cors'
import { describe, expect, test, vi } from 'vitest'
import { mountApi } from './support/api-caller.ts'
import { newStreamer } from './support/new-streamer.ts'
import { runtimes } from './support/runtimes.ts'

const json = { 'content-type': 'application/json' }

describe.each(runtimes)('what the API refuses in $name', (runtime) => {
  test('is a problem, as RFC 9457 has it', async () => {
    const call = await mountApi(runtime, newStreamer())
    const { headers, body } = await call('GET', '/clients/nobody')
    expect(headers.get('content-type')).toBe('application/problem+json')
    expect(headers.get('cache-control')).toBe('no-store')
    expect(body).toEqual({
      code: 'client-not-found',
      title: 'Client not found',
      status: 404,
      detail: expect.stringMatching(/./),
    })
  })

  test.each(['/', '/nothing', '/clients/a/b', '/topics/a', '/healthz'])(
    'includes %s, which it does not have',
    async (path) => {
      const call = await mountApi(runtime, newStreamer())
      expect(await call('GET', path)).toMatchObject({ status: 404, body: { code: 'not-found' } })
    },
  )

  test.each([
    ['PUT', '/clients', 'POST, GET, HEAD'],
    ['POST', '/clients/ann', 'GET, HEAD, DELETE'],
    ['GET', '/clients/ann/subscriptions', 'PATCH'],
    ['GET', '/clients/ann/subscriptions/a', 'PUT, DELETE'],
    ['GET', '/clients/ann/messages', 'POST'],
    ['DELETE', '/topics/a/messages', 'POST'],
    ['GET', '/messages', 'POST'],
    ['POST', '/topics', 'GET, HEAD'],
    ['OPTIONS', '/status', 'GET, HEAD'],
  ])('includes %s %s, and says what is allowed', async (method, path, allow) => {
    const call = await mountApi(runtime, newStreamer())
    const { status, headers, body } = await call(method, path)
    expect(status).toBe(405)
    expect(headers.get('allow')).toBe(allow)
    expect(body).toMatchObject({ code: 'method-not-allowed' })
  })

  test.each([
    ['a body that is not JSON', '{"id":', json],
    ['an empty body that is said to be JSON', '', json],
    ['text that is not UTF-8', Buffer.from('{"metadata":{"a":"\xff"}}', 'latin1'), json],
    ['a body of another type', 'id=ann', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['a body of no type', new TextEncoder().encode('{}'), {}],
  ])('includes %s', async (_what, body, headers) => {
    const call = await mountApi(runtime, newStreamer())
    expect(await call('POST', '/clients', body, headers)).toMatchObject({
      status: 400,
      body: { code: 'invalid-request' },
    })
  })

  test('includes everything once it is closing, and it says when to try again', async () => {
    const streamer = newStreamer()
    await streamer.start()
    const call = await mountApi(runtime, streamer)
    await streamer.close()
    for (const [method, path, body] of [
      ['POST', '/clients', {}],
      ['GET', '/clients', undefined],
      ['GET', '/clients/ann', undefined],
      ['DELETE', '/clients/ann', undefined],
      ['PATCH', '/clients/ann/subscriptions', {}],
      ['PUT', '/clients/ann/subscriptions/a', undefined],
      ['DELETE', '/clients/ann/subscriptions/a', undefined],
      ['POST', '/clients/ann/messages', 'x'],
      ['POST', '/topics/a/messages', 'x'],
      ['POST', '/messages', []],
      ['GET', '/topics', undefined],
    ] as const) {
      const answer = await call(method, path, body)
      expect(answer).toMatchObject({ status: 503, body: { code: 'closing' } })
      expect(answer.headers.get('retry-after')).toMatch(/^\d+$/)
    }
    expect(await call('GET', '/status')).toMatchObject({ status: 200, body: { closing: true } })
  })

  test('hides a fault that is nobody’s request, and logs it', async () => {
    const streamer = newStreamer()
    vi.spyOn(streamer, 'topics').mockRejectedValue(new Error('a secret'))
    const error = vi.fn<Logger['error']>()
    const logger: Logger = { debug() {}, info() {}, warn() {}, error }
    const call = await mountApi(runtime, streamer, { logger })
    const answer = await call('GET', '/topics')
    expect(answer).toMatchObject({ status: 500, body: { code: 'internal' } })
    expect(JSON.stringify(answer.body)).not.toContain('a secret')
    expect(error).toHaveBeenCalledOnce()
  })

  test('keeps the headers that middleware set before', async () => {
    const hono = new Hono()
    hono.use(cors({ origin: 'https://admin.example.com' }))
    hono.use(async (c, next) => {
      c.header('X-Request-Id', '42')
      await next()
    })
    hono.route('/v1', api(newStreamer()))
    const app = await runtime.mount(hono)
    const init = { headers: { origin: 'https://admin.example.com' } }
    for (const path of ['/v1/status', '/v1/clients/nobody', '/v1/nothing', '/v1/messages']) {
      const { headers } = await app.ask(path, init)
      expect(headers.get('access-control-allow-origin')).toBe('https://admin.example.com')
      expect(headers.get('x-request-id')).toBe('42')
    }
  })

  test('is not what an application has beside the API', async () => {
    const hono = new Hono()
    hono.route('/v1', api(newStreamer()))
    hono.get('/v2', (c) => c.text('mine'))
    const app = await runtime.mount(hono)
    expect(await (await app.ask('/v2')).text()).toBe('mine')
    expect((await app.ask('/v3')).headers.get('content-type')).not.toContain('problem')
  })
})
