import { Buffer } from 'node:buffer'
import * as fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { isTopic, Streamer, type StreamerOptions } from '../src/index.ts'
import { isEventName } from '../src/topic.ts'
import { asBrowserSees, asUtf8, hostileText } from './support/hostile-text.ts'
import { type LoopbackDriver, loopbackDriver } from './support/loopback-driver.ts'
import { StreamReader } from './support/stream-reader.ts'

const topicPiece = fc.constantFrom('a', 'é', '😀', '.', ':', ' ', '\n', '\0', '*', '$', '\uFEFF')
const topicText = fc.oneof(hostileText, fc.string({ unit: topicPiece, maxLength: 8 }))
const hostileName = fc.option(hostileText, { nil: undefined })

describe('what is published', () => {
  test('arrives as one event with its own name and data, or is refused', async () => {
    const { streamer, reader, id } = await openStream()
    await fc.assert(
      fc.asyncProperty(topicText, hostileName, hostileText, async (topic, event, data) => {
        const allowed = isTopic(topic) && (event === undefined || isEventName(event))
        const before = (await streamer.getClient(id))!.topics
        const told = isTopic(topic) && !before.includes(topic)
        if (isTopic(topic)) await streamer.subscribe(id, topic)
        const refusal = await streamer
          .publish(topic, data, event === undefined ? {} : { event })
          .then(() => undefined, codeOf)
        await streamer.send(id, 'end')
        const subscriptions = [...before, topic].toSorted()
        expect(await readToEnd(reader)).toEqual([
          ...(told ? [{ event: undefined, data: JSON.stringify({ subscriptions }) }] : []),
          ...(allowed ? [{ event: event ?? topic, data: asBrowserSees(data) }] : []),
        ])
        expect([undefined, 'INVALID_TOPIC', 'INVALID_REQUEST']).toContain(refusal)
        expect(refusal === undefined).toBe(allowed)
        expect(reader.faults).toEqual([])
      }),
      { numRuns: 300 },
    )
  })

  test('arrives in an envelope with its topic, event name and id beside the data', async () => {
    const { streamer, reader } = await openStream({ topics: ['a.**'], query: '&envelope=1' })
    await fc.assert(
      fc.asyncProperty(hostileText, hostileText, hostileText, async (event, id, data) => {
        const chosen = {
          ...(isEventName(event) && { event }),
          ...(/^[^\p{Cc}\p{Cs}]+$/u.test(id) && { id }),
        }
        const published = await streamer.publish('a.😀', data, chosen)
        const arrived = (await reader.next())!
        expect(arrived.event).toBe(chosen.event ?? 'a.**')
        expect(JSON.parse(arrived.data)).toEqual({
          topic: 'a.😀',
          data: asUtf8(data),
          ...chosen,
          id: published.id,
        })
      }),
      { numRuns: 200 },
    )
  })

  test('to one client arrives as one event, or is refused', async () => {
    const { streamer, reader, id } = await openStream()
    await fc.assert(
      fc.asyncProperty(hostileText, hostileText, async (event, data) => {
        const allowed = isEventName(event)
        const refusal = await streamer.send(id, data, { event }).then(() => undefined, codeOf)
        await streamer.send(id, 'end')
        expect(refusal).toBe(allowed ? undefined : 'INVALID_REQUEST')
        expect(await readToEnd(reader)).toEqual(
          allowed ? [{ event, data: asBrowserSees(data) }] : [],
        )
      }),
      { numRuns: 200 },
    )
  })

  test.each(['a\nb', 'a\0b', '', '\ud800', 'x'.repeat(256)])('has no id such as %j', async (id) => {
    const { streamer } = await openStream()
    await expect(streamer.publish('a', 'x', { id })).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
    })
  })
})

describe('what a driver hands over', () => {
  test('arrives as one event without what is malformed, or is ignored and counted', async () => {
    const { streamer, driver, reader, id } = await openStream()
    await fc.assert(
      fc.asyncProperty(
        topicText,
        hostileName,
        hostileName,
        hostileText,
        async (topic, event, messageId, data) => {
          const relayed = isTopic(topic)
          const named = event !== undefined && isEventName(event)
          if (relayed) await streamer.subscribe(id, topic)
          await streamer.send(id, 'end')
          await readToEnd(reader)
          const before = (await streamer.status()).counters
          driver.hand({ topic, payload: Buffer.from(data), event, id: messageId })
          await streamer.send(id, 'end')
          expect(await readToEnd(reader)).toEqual(
            relayed ? [{ event: named ? event : topic, data: asBrowserSees(data) }] : [],
          )
          const { counters } = await streamer.status()
          expect(counters.ignoredMessages - before.ignoredMessages).toBe(relayed ? 0 : 1)
          expect(counters.ignoredEventNames - before.ignoredEventNames).toBe(
            relayed && event !== undefined && !named ? 1 : 0,
          )
          expect(reader.faults).toEqual([])
        },
      ),
      { numRuns: 300 },
    )
  })

  test.each([
    ['a line feed', 'a\nb'],
    ['a line feed and a field', 'x\ndata: forged'],
    ['a carriage return', 'a\rb'],
    ['NUL', 'a\0b'],
    ['a line separator', 'a\u2028b'],
    ['half a surrogate pair', 'a\ud800'],
    ['nothing', ''],
    ['the name of the default event', 'message'],
    ['the name of a lifecycle event, open', 'open'],
    ['the name of a lifecycle event, error', 'error'],
    ['a reserved prefix', 'asbru.x'],
    ['256 bytes', 'x'.repeat(256)],
    ['a number', 7],
    ['null', null],
    ['an array', ['a']],
  ])('has its event name ignored and counted when that is %s', async (_, event) => {
    const { streamer, driver, reader } = await openStream({ topics: ['a'] })
    driver.hand({ topic: 'a', payload: Buffer.from('kept'), event })
    expect(await reader.next()).toMatchObject({ event: 'a', data: 'kept' })
    expect((await streamer.status()).counters.ignoredEventNames).toBe(1)
  })

  test.each([
    ['empty', ''],
    ['of two lines', 'a\nb'],
    ['with white space', 'a b'],
    ['a pattern', 'a.*'],
    ['a name of EventSource', 'message'],
    ['Asbru’s own', 'asbru.control'],
    ['the broker’s own, with $', '$SYS.a'],
    ['the broker’s own, with _', '_INBOX.a'],
    ['too long', 'a'.repeat(256)],
    ['no string', 7],
    ['missing', undefined],
  ])('is ignored and counted when its topic is %s', async (_, topic) => {
    const { streamer, driver, reader, id } = await openStream({ topics: ['**', 'a'] })
    driver.hand({ topic, payload: Buffer.from('ignored') })
    await streamer.send(id, 'end')
    expect(await reader.next()).toMatchObject({ data: 'end' })
    expect((await streamer.status()).counters.ignoredMessages).toBe(1)
  })

  test.each([
    ['no JSON', 'x\ndata'],
    ['no line', '{"v":1,"namespace":"asbru","to":"7"}'],
    ['of another version', '{"v":2,"namespace":"asbru","to":"7"}\ndata'],
    ['of another namespace', '{"v":1,"namespace":"other","to":"7"}\ndata'],
    ['without a client', '{"v":1,"namespace":"asbru"}\ndata'],
    ['null', 'null\ndata'],
    ['a line without end', `${'x'.repeat(5_000)}\n`],
  ])('to one client is ignored and counted when its head is %s', async (_, payload) => {
    const { streamer, driver, reader, id } = await openStream()
    driver.hand({ topic: 'asbru.direct', payload: Buffer.from(payload) })
    await streamer.send(id, 'end')
    expect(await reader.next()).toMatchObject({ data: 'end' })
    expect((await streamer.status()).counters.ignoredMessages).toBe(1)
  })

  test('to one client has a malformed event name ignored', async () => {
    const { driver, reader, id } = await openStream()
    const head = JSON.stringify({ v: 1, namespace: 'asbru', to: id, event: 'x\ndata: forged' })
    driver.hand({ topic: 'asbru.direct', payload: Buffer.from(`${head}\nkept`) })
    expect(await reader.next()).toMatchObject({ event: 'direct', data: 'kept' })
  })

  test('may be any view of a buffer: its bytes count, not its elements', async () => {
    const { driver, reader } = await openStream({ topics: ['a'], maxPayloadBytes: 8 })
    const bytes = Buffer.from('|abcdefgh|')
    const at = bytes.buffer.slice(bytes.byteOffset + 1, bytes.byteOffset + 9)
    for (const payload of [new Uint16Array(at), new Float64Array(at), new DataView(at)]) {
      driver.hand({ topic: 'a', payload })
      expect(await reader.next()).toMatchObject({ event: 'a', data: 'abcdefgh' })
    }
    driver.hand({ topic: 'a', payload: new Uint16Array(5) })
    expect(JSON.parse((await reader.next())!.data)).toMatchObject({
      error: { topic: 'a', code: 'payload-too-large' },
    })
  })

  test.each([
    ['a string', 'text'],
    ['an ArrayBuffer', new ArrayBuffer(3)],
    ['an array', [1, 2]],
    ['null', null],
    ['missing', undefined],
  ])('is ignored and counted when its payload is %s', async (_, payload) => {
    const { streamer, driver, reader, id } = await openStream({ topics: ['a'] })
    driver.hand({ topic: 'a', payload })
    driver.hand({ topic: 'asbru.direct', payload })
    await streamer.send(id, 'end')
    expect(await reader.next()).toMatchObject({ data: 'end' })
    expect((await streamer.status()).counters.ignoredMessages).toBe(2)
  })

  test('is replayed as it arrived live', async () => {
    const { streamer, driver, reader, first } = await openStream({ topics: ['a', 'b.*'] })
    const payloads = ['', '\r', '\n\ndata: forged\n\n', '\uFEFFx', '😀\0', '0\r\n\r\n']
    for (const data of payloads) {
      driver.hand({ topic: 'a', payload: Buffer.from(data), event: 'x\nid: forged' })
      driver.hand({ topic: 'b.😀', payload: Buffer.from(data), event: 'named' })
    }
    const live = await reader.take(2 * payloads.length)
    const again = new StreamReader(
      await streamer.fetch(new Request(first.url, { headers: { 'last-event-id': first.cursor } })),
    )
    await again.next()
    expect(await again.take(2 * payloads.length)).toEqual(live)
  })
})

interface OpenStream {
  streamer: Streamer
  driver: LoopbackDriver
  /** Stands behind the first message. */
  reader: StreamReader
  /** The client. */
  id: string
  first: { url: string; cursor: string }
}

async function openStream({
  topics = [],
  query = '',
  ...options
}: { topics?: string[]; query?: string } & Partial<StreamerOptions> = {}): Promise<OpenStream> {
  const driver = loopbackDriver()
  const streamer = new Streamer({ driver, drainMs: 0, ...options })
  onTestFinished(() => streamer.close())
  const { id } = await streamer.newClient({ topics })
  const url = `http://test/events?id=${id}${query}`
  const reader = new StreamReader(await streamer.fetch(new Request(url)))
  const cursor = (await reader.next())!.id!
  return { streamer, driver, reader, id, first: { url, cursor } }
}

/** Names and data of all events before the message `end` to the client. */
async function readToEnd(
  reader: StreamReader,
): Promise<{ event: string | undefined; data: string }[]> {
  const read: { event: string | undefined; data: string }[] = []
  for (;;) {
    const message = await reader.next()
    if (message === undefined) throw new Error('the stream ended')
    const { event, data } = message
    if (event === 'direct' && data === 'end') return read
    read.push({ event, data })
  }
}

function codeOf(error: unknown): string {
  return (error as { code: string }).code
}
