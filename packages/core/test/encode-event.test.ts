import { Buffer } from 'node:buffer'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Batch } from '../src/connections/batch.ts'
import { encodeEvent, type EventFields } from '../src/index.ts'
import { readEvents } from './support/event-blocks.ts'
import { asBrowserSees, asUtf8, hostileText } from './support/hostile-text.ts'
import { parseChunks } from './support/http-chunks.ts'

const fields: fc.Arbitrary<EventFields> = fc.record(
  {
    id: hostileText,
    event: hostileText,
    retry: fc.nat(),
    comment: hostileText,
    data: fc.oneof(
      hostileText,
      hostileText.map((text) => new TextEncoder().encode(text)),
    ),
  },
  { requiredKeys: [] },
)

describe('encodeEvent', () => {
  test('writes the fields in the order of the protocol', () => {
    const { bare } = encodeEvent({ data: '{}', event: 'a.b', id: '7', retry: 1999.9, comment: 'x' })
    expect(bare.toString()).toBe(': x\nretry: 1999\nid: 7\nevent: a.b\ndata: {}\n\n')
  })

  test.each([
    ['CRLF', 'a\r\nb', 'data: a\ndata: b\n\n'],
    ['CR', 'a\rb', 'data: a\ndata: b\n\n'],
    ['LF', 'a\nb', 'data: a\ndata: b\n\n'],
    ['LF and CR', 'a\n\rb', 'data: a\ndata: \ndata: b\n\n'],
    ['a break at the end', 'a\n', 'data: a\ndata: \n\n'],
    ['breaks alone', '\n\r', 'data: \ndata: \ndata: \n\n'],
    ['nothing', '', 'data: \n\n'],
    ['a space in front', ' a', 'data:  a\n\n'],
    ['NUL', 'a\0b', 'data: a\0b\n\n'],
    ['a BOM', '\uFEFFa', 'data: \uFEFFa\n\n'],
    ['a BOM and a line break', '\uFEFFa\n\uFEFFb', 'data: \uFEFFa\ndata: \uFEFFb\n\n'],
    ['4-byte characters', '😀\n𝄞', 'data: 😀\ndata: 𝄞\n\n'],
    ['line ends of other standards', 'a\u2028b\u0085c', 'data: a\u2028b\u0085c\n\n'],
  ])('writes data with %s, from text and from bytes', (_, data, expected) => {
    expect(encodeEvent({ data }).bare.toString()).toBe(expected)
    expect(encodeEvent({ data: Buffer.from(data) }).bare.toString()).toBe(expected)
  })

  test('dispatches an event with empty data', () => {
    expect(readEvents(encodeEvent({ data: '' }).bare.toString()).events).toEqual([
      { id: undefined, event: undefined, data: '' },
    ])
  })

  test('dispatches no event without data', () => {
    const { bare } = encodeEvent({ comment: 'keepalive', id: '7' })
    expect(readEvents(bare.toString())).toMatchObject({ events: [], comments: ['keepalive'] })
  })

  test('reads from a view at its own place in a larger buffer', () => {
    const large = Buffer.from('before|in\nside|behind')
    const view = new Uint8Array(large.buffer, large.byteOffset + 7, 7)
    expect(encodeEvent({ data: view }).bare.toString()).toBe('data: in\ndata: side\n\n')
  })

  test('is parsed as exactly one block with exactly its fields, whatever stands in them', () => {
    fc.assert(
      fc.property(fields, (given) => {
        const { bare } = encodeEvent(given)
        const sentinel = encodeEvent({ event: 'sentinel', data: 'intact' })
        const { events, comments, retries, faults } = readEvents(
          Buffer.concat([bare, sentinel.bare]).toString(),
        )
        expect(faults).toEqual([])
        expect(comments).toEqual(given.comment === undefined ? [] : [oneLine(given.comment)])
        expect(retries).toEqual(given.retry === undefined ? [] : [given.retry])
        expect(events.slice(0, -1)).toEqual(given.data === undefined ? [] : [expectedEvent(given)])
        expect(events.at(-1)).toMatchObject({ event: 'sentinel', data: 'intact' })
      }),
      { numRuns: 2_000 },
    )
  })

  test('keeps the bytes of data as they came in, if they have no line break', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (data) => {
        const broken = data.includes(0x0a) || data.includes(0x0d)
        const kept = encodeEvent({ id: '1', data }).data
        expect(kept && Uint8Array.from(kept)).toEqual(broken ? undefined : data)
      }),
    )
  })
})

describe('the chunk of a frame', () => {
  test('is one chunk of HTTP/1.1 that holds the bare bytes', () => {
    fc.assert(
      fc.property(fields, (given) => {
        const { chunk, bare } = encodeEvent(given)
        const { chunks, ended, rest } = parseChunks(chunk)
        expect(chunks).toEqual([bare])
        expect(ended).toBe(false)
        expect(rest).toHaveLength(0)
      }),
      { numRuns: 1_000 },
    )
  })

  test.each([1, 7, 8, 9, 10, 247, 248, 249, 4087, 4088, 4089, 65_535, 1_048_576])(
    'has the right size around the digits of its length: %i bytes of data',
    (length) => {
      const { chunk, bare } = encodeEvent({ data: Buffer.alloc(length, 'x') })
      expect(bare).toHaveLength('data: '.length + length + 2)
      expect(parseChunks(chunk).chunks).toEqual([bare])
    },
  )
})

describe('a batch', () => {
  test('holds its frames in their order, in both forms', () => {
    fc.assert(
      fc.property(fc.array(fields, { minLength: 1, maxLength: 20 }), (all) => {
        const frames = all.map(encodeEvent)
        let batch = Batch.empty()
        for (const frame of frames) batch = batch.with(frame)
        expect(batch.length).toBe(frames.length)
        expect(batch.bytes).toBe(batch.chunks.length)
        expect(parseChunks(batch.chunks).chunks).toEqual(frames.map(({ bare }) => bare))
        expect(batch.bare).toEqual(Buffer.concat(frames.map(({ bare }) => bare)))
      }),
    )
  })

  test('is the same one for all who have the same frames pending', () => {
    const [one, two] = [encodeEvent({ data: '1' }), encodeEvent({ data: '2' })]
    const empty = Batch.empty()
    const batch = empty.with(one).with(two)
    expect(empty.with(one).with(two)).toBe(batch)
    expect(batch.chunks).toBe(empty.with(one).with(two).chunks)
  })

  test('does not mix up those who have other frames pending', () => {
    const [one, two] = [encodeEvent({ data: '1' }), encodeEvent({ data: '2' })]
    const empty = Batch.empty()
    const both = empty.with(one).with(two)
    expect(empty.with(two).bare.toString()).toBe('data: 2\n\n')
    expect(both.bare.toString()).toBe('data: 1\n\ndata: 2\n\n')
  })
})

function expectedEvent({ id, event, data }: EventFields): object {
  const text =
    typeof data === 'string' ? data : new TextDecoder('utf-8', { ignoreBOM: true }).decode(data)
  return {
    id: id === undefined ? undefined : oneLine(id),
    event: event === undefined || oneLine(event) === '' ? undefined : oneLine(event),
    data: asBrowserSees(text),
  }
}

/** What is left of a field that stands on one line. */
function oneLine(text: string): string {
  // oxlint-disable-next-line no-control-regex -- NUL is one of the things to be cut
  return asUtf8(text.split(/[\r\n\0]/)[0]!)
}
