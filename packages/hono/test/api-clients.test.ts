import type { Driver } from '@asbru/core'
import { memoryDriver } from '@asbru/driver-memory'
import { describe, expect, test } from 'vitest'
import { mountApi } from './support/api-caller.ts'
import { newStreamer } from './support/new-streamer.ts'
import { runtimes } from './support/runtimes.ts'

describe.each(runtimes)('the API for clients in $name', (runtime) => {
  describe('POST /clients', () => {
    test('makes a client of what it is told', async () => {
      const streamer = newStreamer({ defaultTopics: ['all'] })
      const call = await mountApi(runtime, streamer)
      const asked = { id: 'ann', topics: ['news', 'pets.**'], ttlMs: 5000, metadata: { a: [1] } }

      expect(await call('POST', '/clients', asked)).toMatchObject({
        status: 201,
        body: { ...asked, topics: ['all', 'news', 'pets.**'] },
      })
      expect(await streamer.getClient('ann')).toMatchObject({ ttlMs: 5000, metadata: { a: [1] } })
    })

    test('makes a client of nothing: no body, or an empty object', async () => {
      const call = await mountApi(runtime, newStreamer({ clientTtlMs: 1234 }))
      const made = {
        status: 201,
        body: {
          id: expect.stringMatching(/^[0-9a-f-]{36}$/),
          ttlMs: 1234,
          topics: [],
          metadata: {},
        },
      }
      expect(await call('POST', '/clients')).toMatchObject(made)
      expect(await call('POST', '/clients', {})).toMatchObject(made)
    })

    test('refuses an id that is taken', async () => {
      const call = await mountApi(runtime, newStreamer())
      await call('POST', '/clients', { id: 'ann' })
      expect(await call('POST', '/clients', { id: 'ann' })).toMatchObject({
        status: 409,
        body: { code: 'client-exists' },
      })
    })

    test.each([
      ['an unknown field', { topcs: [] }, 'body.topcs'],
      ['an id of the wrong type', { id: 7 }, 'body.id'],
      ['an empty id', { id: '' }, 'body.id'],
      ['an id with forbidden characters', { id: 'a b' }, 'body.id'],
      ['an id that is too long', { id: 'x'.repeat(129) }, 'body.id'],
      ['topics that are no list', { topics: 'news' }, 'body.topics'],
      ['a topic of the wrong type', { topics: ['a', 2] }, 'body.topics[1]'],
      ['a TTL of the wrong type', { ttlMs: '60' }, 'body.ttlMs'],
      ['a negative TTL', { ttlMs: -1 }, 'body.ttlMs'],
      ['a TTL that no timer can wait', { ttlMs: 2 ** 31 }, 'body.ttlMs'],
      ['a TTL that is no whole number', { ttlMs: 0.5 }, 'body.ttlMs'],
      ['metadata that are no object', { metadata: [] }, 'body.metadata'],
      ['a list', [], 'body'],
    ])('refuses %s, and says where', async (_what, body, path) => {
      const call = await mountApi(runtime, newStreamer())
      const answer = await call('POST', '/clients', body)
      expect(answer).toMatchObject({ status: 400, body: { code: 'invalid-request' } })
      expect(answer.body).toHaveProperty('detail', expect.stringContaining(`\`${path}\``))
    })

    test('refuses an invalid topic', async () => {
      const call = await mountApi(runtime, newStreamer())
      for (const topic of ['', 'a b', 'a..b', '$SYS', 'message', 'x'.repeat(256), '**.a']) {
        const answer = await call('POST', '/clients', { topics: [topic] })
        expect(answer).toMatchObject({ status: 422, body: { code: 'invalid-topic' } })
      }
    })

    test('refuses what a hook refuses, in its words', async () => {
      const streamer = newStreamer({
        authorizeSubscription: ({ topic }) =>
          topic === 'secret' ? Response.json({ no: topic }, { status: 402 }) : topic !== 'private',
      })
      const call = await mountApi(runtime, streamer)
      expect(await call('POST', '/clients', { topics: ['private'] })).toMatchObject({
        status: 403,
        body: { code: 'forbidden' },
      })
      expect(await call('POST', '/clients', { topics: ['secret'] })).toMatchObject({
        status: 402,
        body: { no: 'secret' },
      })
    })
  })

  describe('GET /clients/:id', () => {
    test('shows a client without a connection, and one with', async () => {
      const streamer = newStreamer()
      await streamer.newClient({ id: 'ann', topics: ['b', 'a'], metadata: { name: 'Ann' } })
      const call = await mountApi(runtime, streamer)
      const known = { id: 'ann', ttlMs: 60_000, topics: ['a', 'b'], metadata: { name: 'Ann' } }
      expect(await call('GET', '/clients/ann')).toMatchObject({
        status: 200,
        body: { ...known, connected: false, connections: [] },
      })

      const stream = await streamer.fetch(new Request('http://localhost/events?id=ann'))
      const { body } = await call('GET', '/clients/ann')
      const connection = { replica: streamer.replica, since: expect.any(String) }
      expect(body).toEqual({ ...known, connected: true, connections: [connection] })
      const { since } = (body as { connections: { since: string }[] }).connections[0]!
      expect(new Date(since).toISOString()).toBe(since)
      await stream.body!.cancel()
    })

    test('says 404 of an unknown client, and only the beginning of its id', async () => {
      const call = await mountApi(runtime, newStreamer())
      const answer = await call('GET', '/clients/0123456789abcdef')
      expect(answer).toMatchObject({ status: 404, body: { code: 'client-not-found' } })
      expect(JSON.stringify(answer.body)).toContain('client 01234567.')
      expect(JSON.stringify(answer.body)).not.toContain('012345678')
    })
  })

  test('DELETE /clients/:id removes a client, once', async () => {
    const streamer = newStreamer()
    await streamer.newClient({ id: 'ann' })
    const call = await mountApi(runtime, streamer)
    expect(await call('DELETE', '/clients/ann')).toMatchObject({ status: 204, body: '' })
    expect(await streamer.getClient('ann')).toBeUndefined()
    expect(await call('DELETE', '/clients/ann')).toMatchObject({
      status: 404,
      body: { code: 'client-not-found' },
    })
  })

  describe('GET /clients', () => {
    test('lists clients a page at a time, with the beginning of their ids', async () => {
      const streamer = newStreamer()
      for (const n of [1, 2, 3]) await streamer.newClient({ id: `client-${n}-with-a-long-id` })
      const call = await mountApi(runtime, streamer)
      const first = await call('GET', '/clients?limit=2')
      expect(first).toMatchObject({
        status: 200,
        body: {
          clients: [
            { id: 'client-1', connected: false, connections: [], topics: [] },
            { id: 'client-2' },
          ],
          next: expect.any(String),
        },
      })

      const { next } = first.body as { next: string }
      const second = await call('GET', `/clients?limit=2&after=${encodeURIComponent(next)}`)
      expect(second.body).toMatchObject({ clients: [{ id: 'client-3' }] })
      expect(second.body).not.toHaveProperty('next')
      expect(JSON.stringify([first.body, second.body])).not.toContain('long-id')
    })

    test('lists those with a topic, and those that are connected or not', async () => {
      const streamer = newStreamer()
      await streamer.newClient({ id: 'ann', topics: ['news', 'pets.*'] })
      await streamer.newClient({ id: 'bob', topics: ['news'] })
      const stream = await streamer.fetch(new Request('http://localhost/events?id=bob'))
      const call = await mountApi(runtime, streamer)
      const ids = async (query: string): Promise<string[]> => {
        const { body } = await call('GET', `/clients?${query}`)
        return (body as { clients: { id: string }[] }).clients.map(({ id }) => id)
      }

      expect(await ids('')).toEqual(['ann', 'bob'])
      expect(await ids('topic=news')).toEqual(['ann', 'bob'])
      expect(await ids(`topic=${encodeURIComponent('pets.*')}`)).toEqual(['ann'])
      expect(await ids('topic=nothing')).toEqual([])
      expect(await ids('connected=true')).toEqual(['bob'])
      expect(await ids('connected=false')).toEqual(['ann'])
      await stream.body!.cancel()
    })

    test.each([
      ['limit=0', 'query.limit'],
      ['limit=1001', 'query.limit'],
      ['limit=1.5', 'query.limit'],
      ['limit=many', 'query.limit'],
      ['connected=yes', 'query.connected'],
      ['topic=a&topic=b', 'query.topic'],
      ['conected=true', 'query.conected'],
      ['after=nonsense', 'after'],
    ])('refuses ?%s, and says where', async (query, path) => {
      const call = await mountApi(runtime, newStreamer())
      const answer = await call('GET', `/clients?${query}`)
      expect(answer).toMatchObject({ status: 400, body: { code: 'invalid-request' } })
      expect(answer.body).toHaveProperty('detail', expect.stringContaining(`\`${path}\``))
    })

    test('refuses an invalid topic', async () => {
      const call = await mountApi(runtime, newStreamer())
      expect(await call('GET', '/clients?topic=a..b')).toMatchObject({
        status: 422,
        body: { code: 'invalid-topic' },
      })
    })
  })

  describe('subscriptions', () => {
    test('PATCH changes several at once, and answers with all', async () => {
      const streamer = newStreamer()
      await streamer.newClient({ id: 'ann', topics: ['a', 'b'] })
      const call = await mountApi(runtime, streamer)
      const change = { subscribe: ['c.*', 'd'], unsubscribe: ['a'] }
      expect(await call('PATCH', '/clients/ann/subscriptions', change)).toMatchObject({
        status: 200,
        body: { topics: ['b', 'c.*', 'd'] },
      })
      expect(await call('PATCH', '/clients/ann/subscriptions', {})).toMatchObject({
        status: 200,
        body: { topics: ['b', 'c.*', 'd'] },
      })
    })

    test('PUT and DELETE change one, as often as one likes', async () => {
      const streamer = newStreamer()
      await streamer.newClient({ id: 'ann' })
      const call = await mountApi(runtime, streamer)
      for (const topic of ['news', 'pets.**', 'straße/🐕?&=%']) {
        const path = `/clients/ann/subscriptions/${encodeURIComponent(topic)}`
        for (const _ of [1, 2]) {
          expect(await call('PUT', path)).toMatchObject({ status: 204, body: '' })
          expect((await streamer.getClient('ann'))!.topics).toEqual([topic])
        }
        for (const _ of [1, 2]) {
          expect(await call('DELETE', path)).toMatchObject({ status: 204, body: '' })
          expect((await streamer.getClient('ann'))!.topics).toEqual([])
        }
      }
    })

    test('refuse an unknown client', async () => {
      const call = await mountApi(runtime, newStreamer())
      const refused = { status: 404, body: { code: 'client-not-found' } }
      expect(await call('PATCH', '/clients/bob/subscriptions', {})).toMatchObject(refused)
      expect(await call('PUT', '/clients/bob/subscriptions/a')).toMatchObject(refused)
      expect(await call('DELETE', '/clients/bob/subscriptions/a')).toMatchObject(refused)
    })

    test('refuse an invalid topic', async () => {
      const streamer = newStreamer()
      await streamer.newClient({ id: 'ann', topics: ['a'] })
      const call = await mountApi(runtime, streamer)
      const refused = { status: 422, body: { code: 'invalid-topic' } }
      const path = '/clients/ann/subscriptions'
      expect(await call('PATCH', path, { subscribe: ['ok', 'a b'] })).toMatchObject(refused)
      expect(await call('PATCH', path, { unsubscribe: ['a b'] })).toMatchObject(refused)
      expect(await call('PUT', `${path}/a%20b`)).toMatchObject(refused)
      expect(await call('PUT', `${path}/asbru.direct`)).toMatchObject(refused)
      expect(await call('DELETE', `${path}/a%20b`)).toMatchObject(refused)
      expect((await streamer.getClient('ann'))!.topics).toEqual(['a'])
    })

    test('take a path that is badly encoded as it is', async () => {
      const streamer = newStreamer()
      await streamer.newClient({ id: 'ann' })
      const call = await mountApi(runtime, streamer)
      expect(await call('PUT', '/clients/ann/subscriptions/50%')).toMatchObject({ status: 204 })
      expect((await streamer.getClient('ann'))!.topics).toEqual(['50%'])
    })

    test('refuse a change with an unknown field or a wrong type', async () => {
      const streamer = newStreamer()
      await streamer.newClient({ id: 'ann' })
      const call = await mountApi(runtime, streamer)
      const path = '/clients/ann/subscriptions'
      for (const [change, at] of [
        [{ subscribe: 'a' }, 'body.subscribe'],
        [{ unsubscribe: [null] }, 'body.unsubscribe[0]'],
        [{ subscribed: [] }, 'body.subscribed'],
      ] as const) {
        const answer = await call('PATCH', path, change)
        expect(answer).toMatchObject({ status: 400, body: { code: 'invalid-request' } })
        expect(answer.body).toHaveProperty('detail', expect.stringContaining(`\`${at}\``))
      }
    })

    test('refuse a pattern where the driver has none', async () => {
      const driver = memoryDriver()
      const capabilities = { ...driver.capabilities, patterns: false }
      const streamer = newStreamer({ driver: { ...driver, capabilities } })
      await streamer.newClient({ id: 'ann' })
      const call = await mountApi(runtime, streamer)
      expect(await call('PUT', '/clients/ann/subscriptions/pets.*')).toMatchObject({
        status: 422,
        body: { code: 'not-supported-by-driver' },
      })
    })

    test('say when to try again if the broker does not give a topic', async () => {
      const driver = memoryDriver()
      const subscribe: Driver['subscribe'] = (topic) =>
        topic === 'a' ? Promise.reject(new Error('a secret of it')) : driver.subscribe(topic)
      const streamer = newStreamer({ driver: { ...driver, subscribe } })
      await streamer.newClient({ id: 'ann' })
      const call = await mountApi(runtime, streamer)
      const path = '/clients/ann/subscriptions'
      for (const answer of [
        await call('PUT', `${path}/a`),
        await call('PATCH', path, { subscribe: ['a'] }),
        await call('POST', '/clients', { topics: ['a'] }),
      ]) {
        expect(answer).toMatchObject({ status: 503, body: { code: 'subscription-failure' } })
        expect(answer.headers.get('retry-after')).toMatch(/^\d+$/)
        expect(JSON.stringify(answer.body)).not.toContain('a secret of it')
      }
    })

    test('refuse what a hook refuses', async () => {
      const streamer = newStreamer({ authorizeSubscription: () => false })
      await streamer.newClient({ id: 'ann' })
      const call = await mountApi(runtime, streamer)
      expect(await call('PUT', '/clients/ann/subscriptions/a')).toMatchObject({
        status: 403,
        body: { code: 'forbidden' },
      })
    })
  })

  test('GET /topics lists topics and patterns with their subscribers, a page at a time', async () => {
    const streamer = newStreamer()
    await streamer.newClient({ topics: ['a', 'b.*'] })
    await streamer.newClient({ topics: ['a', 'c'] })
    const call = await mountApi(runtime, streamer)
    const first = await call('GET', '/topics?limit=2')
    expect(first).toMatchObject({
      status: 200,
      body: {
        topics: [
          { topic: 'a', subscribers: 2 },
          { topic: 'b.*', subscribers: 1 },
        ],
        next: 'b.*',
      },
    })
    const second = await call('GET', `/topics?after=${encodeURIComponent('b.*')}`)
    expect(second.body).toEqual({ topics: [{ topic: 'c', subscribers: 1 }] })
    expect(await call('GET', '/topics?limit=x')).toMatchObject({ status: 400 })
    expect(await call('GET', '/topics?page=2')).toMatchObject({ status: 400 })
  })

  test('GET /status tells of the replica, its driver, counters and window', async () => {
    const streamer = newStreamer()
    await streamer.newClient({ topics: ['a'] })
    await streamer.publish('a', 'x')
    const call = await mountApi(runtime, streamer)
    expect(await call('GET', '/status')).toMatchObject({
      status: 200,
      body: {
        replica: streamer.replica,
        driver: { name: 'memory', state: 'connected' },
        closing: false,
        clients: 1,
        connections: 0,
        counters: { messagesIn: 1, eventsOut: 0 },
        window: { messages: 1, bytes: expect.any(Number) },
      },
    })
  })
})
