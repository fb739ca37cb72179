import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { describe, expect, test } from 'vitest'
import { Validator } from '@seriousme/openapi-schema-validator'
import { Asbru, post, serve } from './support/asbru.ts'
import { temporaryFile } from './support/temporary-file.ts'

describe('a relay that serves', () => {
  test('says in one line where it listens, and nothing else on stdout', async () => {
    const { asbru, events, api } = await serve()
    expect(events).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/events$/)
    expect(api).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/v1$/)
    expect(new URL(events).port).not.toBe(new URL(api).port)
    asbru.signal('SIGTERM')
    const { stdout } = await asbru.ended
    expect(JSON.parse(stdout)).toEqual({ listening: { events, api } })
  })

  test('takes its options from a file, from the environment and from flags', async () => {
    const file = temporaryFile(
      'asbru.yaml',
      'clientTtlMs: 1000\ndefaultTopics: [yaml]\nretryMs: 400',
    )
    const { api } = await serve(['--config', file, '--client-ttl-ms', '3000'], {
      env: { ASBRU_CLIENT_TTL_MS: '2000', ASBRU_DEFAULT_TOPICS: 'env' },
    })
    expect(await post(`${api}/clients`, {})).toMatchObject({ ttlMs: 3000, topics: ['env'] })
  })

  test('starts where Kubernetes injected the variables of a Service called asbru', async () => {
    const { asbru, internal } = await serve([], {
      env: { ASBRU_PORT: 'tcp://10.0.0.1:80', ASBRU_SERVICE_HOST: '10.0.0.1' },
    })
    expect((await fetch(`${internal}/healthz`)).status).toBe(200)
    asbru.signal('SIGTERM')
    expect((await asbru.ended).stderr).not.toContain('ASBRU_')
  })

  test('warns of a variable that sets no option', async () => {
    const { asbru } = await serve([], { env: { ASBRU_PROT: '1' } })
    const [line] = await asbru.says('stderr', /.*ASBRU_PROT.*/)
    const msg = 'ASBRU_PROT in the environment sets no option'
    expect(JSON.parse(line)).toMatchObject({ level: 'warn', msg })
  })

  test('answers 404 to all but the event stream on the public listener', async () => {
    const { events } = await serve()
    for (const path of ['/', '/v1/status', '/metrics', '/healthz', '/events/', '/eventsx']) {
      const response = await fetch(new URL(path, events))
      expect(response.status).toBe(404)
      expect(response.headers.get('content-type')).toBe('application/problem+json')
      expect(await response.json()).toMatchObject({ code: 'not-found' })
    }
  })

  test('is alive and ready', async () => {
    const { internal } = await serve()
    const health = await fetch(`${internal}/healthz`)
    expect([health.status, await health.json()]).toEqual([200, { ok: true }])
    const ready = await fetch(`${internal}/readyz`)
    const driver = { name: 'memory', state: 'connected' }
    expect([ready.status, await ready.json()]).toEqual([
      200,
      { ready: true, driver, closing: false },
    ])
  })

  test('counts connections, clients, messages and events for Prometheus', async () => {
    const { internal, api, events } = await serve()
    const { id } = await post(`${api}/clients`, { topics: ['news'] })
    const stream = await openStream(`${events}?id=${id}`)
    await post(`${api}/topics/news/messages`, 'one')
    await post(`${api}/topics/news/messages`, 'two')
    await stream.until('"two"')
    const response = await fetch(`${internal}/metrics`)
    expect(response.headers.get('content-type')).toContain('text/plain')
    const metrics = await response.text()
    expect(metrics).toMatch(/^asbru_connections 1$/m)
    expect(metrics).toMatch(/^asbru_clients 1$/m)
    expect(metrics).toMatch(/^asbru_messages_in_total 2$/m)
    expect(metrics).toMatch(/^asbru_events_out_total 2$/m)
    expect(metrics).toMatch(/^asbru_slow_consumers_total 0$/m)
    expect(metrics).toMatch(/^asbru_window_bytes [1-9]\d*$/m)
    expect(metrics).toMatch(/^nodejs_eventloop_lag_seconds /m)
    expect(await (await fetch(`${internal}/metrics`)).text()).toMatch(/^asbru_events_out_total 2$/m)
    await stream.close()
  })

  test('describes its API with a valid OpenAPI 3.1 document', async () => {
    const { internal } = await serve()
    const document = (await (await fetch(`${internal}/openapi.json`)).json()) as {
      openapi: string
      paths: Record<string, object>
    }
    expect(document.openapi).toBe('3.1.0')
    expect(await new Validator().validate(document)).toEqual({ valid: true })
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    )
    expect(operations.toSorted()).toEqual([
      'DELETE /clients/{id}',
      'DELETE /clients/{id}/subscriptions/{topic}',
      'GET /clients',
      'GET /clients/{id}',
      'GET /status',
      'GET /topics',
      'PATCH /clients/{id}/subscriptions',
      'POST /clients',
      'POST /clients/{id}/messages',
      'POST /messages',
      'POST /topics/{topic}/messages',
      'PUT /clients/{id}/subscriptions/{topic}',
    ])
  })

  test('logs neither query strings nor whole client ids', async () => {
    const { asbru, api, events } = await serve(['--log-level', 'debug'])
    const { id } = await post(`${api}/clients`, { topics: ['news'] })
    const stream = await openStream(`${events}?id=${id}`)
    await stream.close()
    await asbru.says('stderr', /"msg":"disconnected"/)
    asbru.signal('SIGTERM')
    const { stderr } = await asbru.ended
    expect(stderr).toContain(`"client":"${id.slice(0, 8)}"`)
    expect(stderr).not.toContain(id)
    expect(stderr).not.toContain('?')
    for (const line of stderr.trimEnd().split('\n')) expect(JSON.parse(line)).toHaveProperty('msg')
  })
})

describe('the internal listener', () => {
  test('with a token, asks for it everywhere but on the paths of health', async () => {
    const { internal } = await serve(['--api-token', 'let-me-in'])
    const statuses = async (headers: Record<string, string>): Promise<number[]> =>
      Promise.all(
        ['/v1/status', '/metrics', '/openapi.json'].map(
          async (path) => (await fetch(internal + path, { headers })).status,
        ),
      )
    expect(await statuses({})).toEqual([401, 401, 401])
    expect(await statuses({ authorization: 'Bearer let-me-out' })).toEqual([401, 401, 401])
    expect(await statuses({ authorization: 'Basic let-me-in' })).toEqual([401, 401, 401])
    expect(await statuses({ authorization: 'Bearer let-me-in' })).toEqual([200, 200, 200])
    expect((await fetch(`${internal}/healthz`)).status).toBe(200)
    expect((await fetch(`${internal}/readyz`)).status).toBe(200)
    const headers = { authorization: 'Bearer let-me-in' }
    const document = (await (
      await fetch(`${internal}/openapi.json`, { headers })
    ).json()) as Record<string, unknown>
    expect(await new Validator().validate(document)).toEqual({ valid: true })
    expect(document).toMatchObject({
      security: [{ token: [] }],
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
    })
    const refusal = await fetch(`${internal}/v1/status`)
    expect(refusal.headers.get('www-authenticate')).toBe('Bearer')
    expect(await refusal.json()).toMatchObject({ code: 'unauthorized', status: 401 })
  })

  test('without a token, refuses pages of other origins and hosts that are not loopback', async () => {
    const { internal } = await serve()
    const { port } = new URL(internal)
    const ask = (headers: Record<string, string>, path = '/v1/clients'): Promise<number> =>
      statusOf(`${internal}${path}`, { 'content-type': 'application/json', ...headers })
    for (const origin of ['https://evil.example', 'null', `http://localhost:${Number(port) + 1}`]) {
      expect(await ask({ origin })).toBe(403)
    }
    for (const host of ['evil.example', `evil.example:${port}`, '127.0.0.1.evil.example']) {
      expect(await ask({ host })).toBe(403)
    }
    expect(await ask({ host: 'evil.example' }, '/metrics')).toBe(403)
    expect(await ask({ origin: `http://127.0.0.1:${port}` })).toBe(201)
    expect(await ask({ host: `localhost:${port}` })).toBe(201)
    expect(await ask({ host: `[::1]:${port}` })).toBe(201)
    const answer = await fetch(`${internal}/v1/status`, {
      headers: { origin: 'https://a.example' },
    })
    expect(await answer.json()).toMatchObject({ code: 'forbidden', status: 403 })
  })

  test('needs a token to listen beyond loopback', async () => {
    const asbru = new Asbru([
      'serve',
      '--port',
      '0',
      '--internal-port',
      '0',
      '--internal-host',
      '0.0.0.0',
    ])
    const { code, stdout, stderr } = await asbru.ended
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain('apiToken: is needed, since internalHost is not loopback')
    const { internal } = await serve(['--internal-host', '0.0.0.0', '--api-token', 'let-me-in'])
    const headers = { host: 'relay.example', authorization: 'Bearer let-me-in' }
    const { port } = new URL(internal)
    expect(await statusOf(`http://127.0.0.1:${port}/v1/clients`, headers)).not.toBe(403)
  })
})

/** Posts an empty JSON object with headers that `fetch` does not let through. */
async function statusOf(url: string, headers: Record<string, string>): Promise<number> {
  const asked = request(url, { method: url.endsWith('/metrics') ? 'GET' : 'POST', headers })
  asked.end(url.endsWith('/metrics') ? undefined : '{}')
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  response.resume()
  return response.statusCode!
}

async function openStream(
  url: string,
): Promise<{ until(text: string): Promise<void>; close(): Promise<void> }> {
  const response = await fetch(url)
  expect(response.status).toBe(200)
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  let read = ''
  return {
    async until(text) {
      while (!read.includes(text)) {
        const { value, done } = await reader.read()
        if (done) throw new Error(`The stream ended without ${text}.`)
        read += value
      }
    },
    close: () => reader.cancel(),
  }
}
