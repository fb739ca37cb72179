import { Buffer } from 'node:buffer'
import type { Driver, Streamer } from '@asbru/core'
import { memoryDriver } from '@asbru/driver-memory'
import { describe, expect, test } from 'vitest'
import { mountApi } from './support/api-caller.ts'
import { type EventReader, eventsOf } from './support/event-reader.ts'
import { newStreamer } from './support/new-streamer.ts'
import { runtimes } from './support/runtimes.ts'

describe.each(runtimes)('the API for messages in $name', (runtime) => {
  describe('POST /topics/:topic/messages', () => {
    test('publishes the body as it is', async () => {
      const streamer = newStreamer()
      const call = await mountApi(runtime, streamer)
      const reader = await readerOf(streamer, ['news.**'])
      const bodies = ['{"a": 1}', 'zwei\nZeilen 🐕', '']
      for (const body of bodies) {
        expect(await call('POST', '/topics/news.today/messages', body)).toMatchObject({
          status: 202,
          body: { id: expect.stringMatching(/^.+$/) },
        })
      }
      await call('POST', '/topics/news.today/messages', Buffer.from('bytes'), {
        'content-type': 'application/octet-stream',
      })
      for (const data of [...bodies, 'bytes']) {
        expect(await reader.next()).toMatchObject({ event: 'news.**', data })
      }
    })

    test('takes the event name and the id from headers, in UTF-8', async () => {
      const streamer = newStreamer()
      const call = await mountApi(runtime, streamer)
      const reader = await readerOf(streamer, ['news'])
      const answer = await call('POST', '/topics/news/messages', 'x', {
        'asbru-event': asUtf8('geändert'),
        'asbru-id': asUtf8('№ 1'),
      })
      expect(answer).toMatchObject({ status: 202, body: { id: '№ 1' } })
      expect(await reader.next()).toMatchObject({ event: 'geändert', data: 'x' })
    })

    test('refuses a bad event name or id', async () => {
      const call = await mountApi(runtime, newStreamer())
      const refused = { status: 400, body: { code: 'invalid-request' } }
      for (const headers of [
        { 'asbru-event': '' },
        { 'asbru-event': 'message' },
        { 'asbru-event': 'asbru.x' },
        { 'asbru-event': 'x'.repeat(256) },
        { 'asbru-id': '' },
        { 'asbru-id': 'x'.repeat(256) },
      ]) {
        expect(await call('POST', '/topics/a/messages', 'x', headers)).toMatchObject(refused)
      }
    })

    test('refuses a topic that cannot be published to', async () => {
      const call = await mountApi(runtime, newStreamer())
      for (const topic of ['a b', 'a.*', '**', '$SYS.x', '_x', 'asbru.direct', 'open', 'a..b']) {
        const path = `/topics/${encodeURIComponent(topic)}/messages`
        expect(await call('POST', path, 'x')).toMatchObject({
          status: 422,
          body: { code: 'invalid-topic' },
        })
      }
    })

    test('takes a payload of exactly the limit, and none with a byte more', async () => {
      const streamer = newStreamer({ maxPayloadBytes: 1000 })
      const call = await mountApi(runtime, streamer)
      const reader = await readerOf(streamer, ['a'])
      const path = '/topics/a/messages'
      const tooLarge = { status: 413, body: { code: 'payload-too-large' } }
      expect(await call('POST', path, 'x'.repeat(1000))).toMatchObject({ status: 202 })
      expect((await reader.next())!.data).toHaveLength(1000)
      expect(await call('POST', path, 'x'.repeat(1001))).toMatchObject(tooLarge)
      expect(await call('POST', path, bodyOf(new Uint8Array(400), 2))).toMatchObject({
        status: 202,
      })
      expect(await call('POST', path, bodyOf(new Uint8Array(400), 3))).toMatchObject(tooLarge)
    })

    test('refuses a payload that is not UTF-8, unless it is to be encoded', async () => {
      const bytes = new Uint8Array([0xff, 0xfe])
      const refusing = await mountApi(runtime, newStreamer())
      expect(await refusing('POST', '/topics/a/messages', bytes)).toMatchObject({
        status: 400,
        body: { code: 'invalid-request' },
      })
      const streamer = newStreamer({ binary: 'base64' })
      const encoding = await mountApi(runtime, streamer)
      const reader = await readerOf(streamer, ['a'])
      expect(await encoding('POST', '/topics/a/messages', bytes)).toMatchObject({ status: 202 })
      expect(await reader.next()).toMatchObject({ data: '//4=' })
    })

    test('says when to try again if the broker does not take it', async () => {
      const call = await mountApi(runtime, newStreamer({ driver: brokenDriver() }))
      const answer = await call('POST', '/topics/a/messages', 'x')
      expect(answer).toMatchObject({ status: 503, body: { code: 'broker-unavailable' } })
      expect(answer.headers.get('retry-after')).toMatch(/^\d+$/)
      expect(JSON.stringify(answer.body)).not.toContain('secret of the broker')
    })

    test('refuses an event name where the broker has no headers', async () => {
      const driver = memoryDriver()
      const capabilities = { ...driver.capabilities, headers: false }
      const call = await mountApi(runtime, newStreamer({ driver: { ...driver, capabilities } }))
      const path = '/topics/a/messages'
      expect(await call('POST', path, 'x', { 'asbru-event': 'e' })).toMatchObject({
        status: 422,
        body: { code: 'not-supported-by-driver' },
      })
      expect(await call('POST', path, 'x')).toMatchObject({ status: 202 })
    })
  })

  describe('POST /clients/:id/messages', () => {
    test('sends to one client, and to it alone', async () => {
      const streamer = newStreamer()
      const call = await mountApi(runtime, streamer)
      const ann = await readerOf(streamer, ['news'], 'ann')
      const bob = await readerOf(streamer, ['news'], 'bob')
      expect(await call('POST', '/clients/ann/messages', 'for Ann')).toMatchObject({
        status: 202,
        body: { id: expect.stringMatching(/^.+$/) },
      })
      const headers = { 'asbru-event': 'note', 'asbru-id': '7' }
      expect(await call('POST', '/clients/bob/messages', 'for Bob', headers)).toMatchObject({
        status: 202,
        body: { id: '7' },
      })
      expect(await ann.next()).toMatchObject({ event: 'direct', data: 'for Ann' })
      expect(await bob.next()).toMatchObject({ event: 'note', data: 'for Bob' })
    })

    test('refuses an unknown client, and a payload that is too large', async () => {
      const streamer = newStreamer({ maxPayloadBytes: 10 })
      await streamer.newClient({ id: 'ann' })
      const call = await mountApi(runtime, streamer)
      expect(await call('POST', '/clients/bob/messages', 'x')).toMatchObject({
        status: 404,
        body: { code: 'client-not-found' },
      })
      expect(await call('POST', '/clients/ann/messages', 'x'.repeat(11))).toMatchObject({
        status: 413,
        body: { code: 'payload-too-large' },
      })
    })
  })

  describe('POST /messages', () => {
    test('publishes many in their order: strings as they are, other values as JSON', async () => {
      const streamer = newStreamer()
      const call = await mountApi(runtime, streamer)
      const reader = await readerOf(streamer, ['a', 'b'])
      const answer = await call('POST', '/messages', [
        { topic: 'a', data: 'text', id: '1' },
        { topic: 'a', data: { n: 2 }, event: 'named' },
        { topics: ['a', 'b'], data: null, id: '3' },
        { topic: 'b', data: [false, 0] },
      ])
      expect(answer).toMatchObject({
        status: 202,
        body: {
          results: [
            { id: '1' },
            { id: expect.any(String) },
            { id: '3' },
            { id: expect.any(String) },
          ],
        },
      })
      expect(await reader.next()).toMatchObject({ event: 'a', data: 'text' })
      expect(await reader.next()).toMatchObject({ event: 'named', data: '{"n":2}' })
      expect(await reader.next()).toMatchObject({ event: 'a', data: 'null' })
      expect(await reader.next()).toMatchObject({ event: 'b', data: 'null' })
      expect(await reader.next()).toMatchObject({ event: 'b', data: '[false,0]' })
      expect(await call('POST', '/messages', [])).toMatchObject({
        status: 202,
        body: { results: [] },
      })
    })

    test('says which of them failed, and publishes the others', async () => {
      const streamer = newStreamer({ maxPayloadBytes: 10 })
      const call = await mountApi(runtime, streamer)
      const reader = await readerOf(streamer, ['a'])
      const answer = await call('POST', '/messages', [
        { topic: 'a b', data: 'x' },
        { topic: 'a', data: 'fine', id: 'ok' },
        { topic: 'a', data: 'x'.repeat(11) },
        { topic: 'a', data: 'x', event: 'error' },
      ])
      expect(answer).toMatchObject({ status: 207 })
      expect(answer.body).toEqual({
        results: [
          failed('invalid-topic'),
          { id: 'ok' },
          failed('payload-too-large'),
          failed('invalid-request'),
        ],
      })
      expect(await reader.next()).toMatchObject({ data: 'fine' })
    })

    test('says which of them the broker did not take', async () => {
      const call = await mountApi(runtime, newStreamer({ driver: brokenDriver() }))
      const answer = await call('POST', '/messages', [{ topic: 'a', data: 'x' }])
      expect(answer).toMatchObject({
        status: 207,
        body: { results: [{ error: { code: 'broker-unavailable' } }] },
      })
      expect(JSON.stringify(answer.body)).not.toContain('secret of the broker')
    })

    test.each([
      ['no list', { topic: 'a', data: 'x' }, 'body'],
      ['an unknown field', [{ topic: 'a', data: 'x', evnt: 'e' }], 'body[0].evnt'],
      ['a message without data', [{ topic: 'a' }], 'body[0].data'],
      ['a message without a topic', [{ data: 'x' }], 'body[0]'],
      ['both topic and topics', [{ topic: 'a', topics: ['b'], data: 'x' }], 'body[0]'],
      ['no topics', [{ topics: [], data: 'x' }], 'body[0].topics'],
      [
        'a topic of the wrong type',
        [
          { topic: 'a', data: 'x' },
          { topic: 1, data: 'x' },
        ],
        'body[1].topic',
      ],
      ['an event name of the wrong type', [{ topic: 'a', data: 'x', event: 1 }], 'body[0].event'],
      ['an id of the wrong type', [{ topic: 'a', data: 'x', id: 1 }], 'body[0].id'],
    ])('refuses %s, publishes nothing, and says where', async (_what, body, path) => {
      const streamer = newStreamer()
      const call = await mountApi(runtime, streamer)
      const answer = await call('POST', '/messages', body)
      expect(answer).toMatchObject({ status: 400, body: { code: 'invalid-request' } })
      expect(answer.body).toHaveProperty('detail', expect.stringContaining(`\`${path}\``))
      expect((await streamer.status()).counters.messagesIn).toBe(0)
    })

    test('is bounded, also while it is being read', async () => {
      const call = await mountApi(runtime, newStreamer(), { maxBodyBytes: 100 })
      const json = { 'content-type': 'application/json' }
      const tooLarge = { status: 413, body: { code: 'payload-too-large' } }
      const batch = [{ topic: 'a', data: 'x'.repeat(100) }]
      expect(await call('POST', '/messages', batch)).toMatchObject(tooLarge)
      const unfinished = bodyOf(new TextEncoder().encode('[[[[[[[[[['), 11, () => {})
      expect(await call('POST', '/messages', unfinished, json)).toMatchObject(tooLarge)
      expect(await call('POST', '/messages', [])).toMatchObject({ status: 202 })
    })
  })
})

/** Reads what a new client gets after its first message. */
async function readerOf(streamer: Streamer, topics: string[], id?: string): Promise<EventReader> {
  const client = await streamer.newClient({ topics, ...(id !== undefined && { id }) })
  const url = `http://localhost/events?id=${client.id}`
  const reader = eventsOf(await streamer.fetch(new Request(url)))
  await reader.next()
  return reader
}

/** A header's value whose bytes are UTF-8. */
function asUtf8(text: string): string {
  return Buffer.from(text).toString('latin1')
}

function failed(code: string): object {
  return { error: { code, message: expect.stringMatching(/./) } }
}

/** A body of unknown length: `chunk`, so many times, and then its end, unless something else is to happen. */
function bodyOf(
  chunk: Uint8Array,
  times: number,
  finish: (controller: ReadableStreamDefaultController) => void = (controller) =>
    controller.close(),
): ReadableStream<Uint8Array> {
  let sent = 0
  return new ReadableStream({
    pull(controller) {
      if (sent++ < times) controller.enqueue(chunk.slice())
      else finish(controller)
    },
  })
}

function brokenDriver(): Driver {
  return {
    ...memoryDriver(),
    publish: () => Promise.reject(new Error('a secret of the broker')),
  }
}
