import { Buffer } from 'node:buffer'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { covers, isTopic, matches, StreamerError, topicOf, topicPatternOf } from '../src/index.ts'
import { isEventName } from '../src/topic.ts'
import { asBrowserSees, hostileText } from './support/hostile-text.ts'
import { pattern, slowlyMatches, topic } from './support/topics.ts'

const good = [
  'a',
  'orders.42',
  'a.b.c.d.e.f',
  '42',
  'Ünïcode.😀',
  'with-dash_and_underscore.x',
  'a.$b._c',
  'asbruish',
  'x.asbru.y',
  'messages',
  'a.message',
  'opener',
  'a:b/c@d',
  'x'.repeat(255),
  '😀'.repeat(63),
]

const bad: [string, string, RegExp][] = [
  ['empty', '', /empty/],
  ['an empty segment in front', '.a', /empty segment/],
  ['an empty segment at the end', 'a.', /empty segment/],
  ['an empty segment within', 'a..b', /empty segment/],
  ['a dot alone', '.', /empty segment/],
  ['a space', 'a b', /white space/],
  ['a tab', 'a\tb', /white space/],
  ['a no-break space', 'a\u00A0b', /white space/],
  ['a line feed', 'a\nb', /white space/],
  ['a carriage return', 'a\r', /white space/],
  ['a line separator', 'a\u2028b', /white space/],
  ['a BOM', '\uFEFFa', /white space/],
  ['NUL', 'a\0', /control/],
  ['DEL', 'a\u007F', /control/],
  ['a C1 control', 'a\u0085', /control/],
  ['the wildcard of NATS', 'a.>', /`>`/],
  ['the wildcard of RabbitMQ', 'a.#', /`#`/],
  ['half a surrogate pair', 'a\uD800', /control/],
  ['$ in front', '$SYS.a', /reserved/],
  ['_ in front', '_INBOX.a', /reserved/],
  ['asbru', 'asbru', /reserved/],
  ['what belongs to asbru', 'asbru.direct', /reserved/],
  ['message', 'message', /EventSource/],
  ['open', 'open', /EventSource/],
  ['error', 'error', /EventSource/],
  ['256 bytes', 'x'.repeat(256), /255 bytes/],
  ['256 bytes of 64 characters', '😀'.repeat(64), /255 bytes/],
  ['a megabyte', 'x'.repeat(1_000_000), /255 bytes/],
]

const notStrings = [undefined, null, 7, {}, ['a'], Symbol('a')]

describe('topicOf', () => {
  test.each(good)('returns %j', (name) => {
    expect(topicOf(name)).toBe(name)
    expect(isTopic(name)).toBe(true)
  })

  test.each([...bad, ['a star', 'a.*', /`\*`/] as const, ['two stars', '**', /`\*`/] as const])(
    'refuses %s',
    (_, name, reason) => {
      expect(isTopic(name)).toBe(false)
      expectInvalid(() => topicOf(name), reason)
    },
  )

  test.each(notStrings)('refuses %s, which is not a string', (name) => {
    expectInvalid(() => topicOf(name), /not a string/)
  })

  test('does not repeat all of a huge topic in its message', () => {
    expect(() => topicOf('x'.repeat(100_000))).toThrow(/^.{1,200}$/)
  })
})

describe('topicPatternOf', () => {
  test.each([
    ...good,
    '*',
    '**',
    'pets.*',
    'pets.**',
    '*.dogs',
    '*.*',
    'a.*.c.**',
    `${'x'.repeat(253)}.*`,
    `${'x'.repeat(252)}.**`,
  ])('returns %j', (name) => {
    expect(topicPatternOf(name)).toBe(name)
  })

  test.each([
    ...bad,
    ['`**` in front', '**.a', /before its end/],
    ['`**` within', 'a.**.b', /before its end/],
    ['`**` twice', '**.**', /before its end/],
    ['a star within a segment', 'a*', /`\*`/],
    ['three stars', 'a.***', /`\*`/],
    ['an empty segment beside a star', 'a..*', /empty segment/],
    ['a reserved first segment', '$SYS.*', /reserved/],
    ['what belongs to asbru', 'asbru.**', /reserved/],
    ['white space beside a star', 'a b.*', /white space/],
    ['256 bytes', `${'x'.repeat(254)}.*`, /255 bytes/],
    ['256 bytes with `**`', `${'x'.repeat(253)}.**`, /255 bytes/],
    ['256 bytes of fewer characters', `${'é'.repeat(126)}x.**`, /255 bytes/],
  ])('refuses %s', (_, name, reason) => {
    expectInvalid(() => topicPatternOf(name), reason)
  })

  test.each(notStrings)('refuses %s, which is not a string', (name) => {
    expectInvalid(() => topicPatternOf(name), /not a string/)
  })
})

describe('any text', () => {
  test('that is accepted is at most 255 bytes, stands on one line, and is what a browser gets', () => {
    const accepted = { isTopic: 0, isSubscription: 0, isEventName: 0 }
    fc.assert(
      fc.property(fc.oneof(hostileText, topic, pattern), (text) => {
        const isSound =
          text !== '' && Buffer.byteLength(text) <= 255 && asBrowserSees(text) === text
        for (const [name, accepts] of Object.entries({ isTopic, isSubscription, isEventName })) {
          if (!accepts(text)) continue
          accepted[name as keyof typeof accepted]++
          expect(isSound && !/[\n\0]/.test(text)).toBe(true)
        }
      }),
      { numRuns: 2_000 },
    )
    expect(Math.min(...Object.values(accepted))).toBeGreaterThan(100)
  })

  test('that is a topic may be subscribed to, and may stand in an `event:` line', () => {
    fc.assert(
      fc.property(fc.oneof(hostileText, topic).filter(isTopic), (text) => {
        expect([isSubscription(text), isEventName(text)]).toEqual([true, true])
      }),
    )
  })
})

describe('matches', () => {
  test.each([
    ['pets', 'pets', true],
    ['pets', 'pets.dogs', false],
    ['pets', 'petstore', false],
    ['*', 'pets', true],
    ['*', 'pets.dogs', false],
    ['pets.*', 'pets', false],
    ['pets.*', 'pets.dogs', true],
    ['pets.*', 'pets.dogs.corgi', false],
    ['*.dogs', 'pets.dogs', true],
    ['*.dogs', 'dogs', false],
    ['pets.**', 'pets', true],
    ['pets.**', 'pets.dogs', true],
    ['pets.**', 'pets.dogs.corgi', true],
    ['pets.**', 'petstore', false],
    ['pets.*.**', 'pets', false],
    ['pets.*.**', 'pets.dogs', true],
    ['**', 'pets', true],
    ['**', 'pets.dogs.corgi', true],
    ['**', '$SYS.a', false],
    ['**', '_INBOX.a', false],
    ['**', 'asbru.direct', false],
    ['**', 'asbru', false],
    ['*.*', 'asbru.direct', false],
    ['**', 'a.$b._c', true],
    ['*', 'asbruish', true],
    ['a.b', 'a.B', false],
    ['a.+', 'a.b', false],
    ['*.__proto__', 'x.__proto__', true],
  ])('says of %s and %s: %s', (wanted, name, expected) => {
    expect(matches(wanted, name)).toBe(expected)
  })

  test('agrees with the protocol, read word by word', () => {
    let matched = 0
    fc.assert(
      fc.property(pattern, topic, (wanted, name) => {
        const expected = slowlyMatches(wanted, name)
        if (expected) matched++
        expect(matches(wanted, name)).toBe(expected)
      }),
      { numRuns: 3_000 },
    )
    expect(matched).toBeGreaterThan(100)
  })
})

describe('covers', () => {
  test.each([
    ['a', 'a', true],
    ['a', 'b', false],
    ['a', '*', false],
    ['*', 'a', true],
    ['*', '*', true],
    ['*', '**', false],
    ['**', '*', true],
    ['**', '**', true],
    ['**', 'a.*.c.**', true],
    ['a.*', 'a.b', true],
    ['a.*', 'a.**', false],
    ['a.**', 'a', true],
    ['a.**', 'a.**', true],
    ['a.**', 'a.b.**', true],
    ['a.b.**', 'a.**', false],
    ['a.*.**', 'a.**', false],
    ['a.*', '*.a', false],
    ['*.**', '**', true],
    ['*.*.**', '**', false],
  ])('says of %s and %s: %s', (allowed, asked, expected) => {
    expect(covers(allowed, asked)).toBe(expected)
  })

  test('is true exactly when every topic that is asked for is allowed', () => {
    let covered = 0
    fc.assert(
      fc.property(pattern, pattern, (allowed, asked) => {
        const expected = topicsOf(asked).every((name) => slowlyMatches(allowed, name))
        if (expected) covered++
        expect(covers(allowed, asked)).toBe(expected)
      }),
      { numRuns: 3_000 },
    )
    expect(covered).toBeGreaterThan(100)
  })
})

/** Topics that stand for all that a pattern delivers: `*` is a segment that no pattern names. */
function topicsOf(asked: string): string[] {
  const segments = asked.split('.').map((segment) => (segment === '*' ? 'other' : segment))
  if (segments.at(-1) !== '**') return [segments.join('.')]
  const before = segments.slice(0, -1)
  return Array.from({ length: 8 }, (_, more) => [...before, ...Array(more).fill('other')])
    .filter((parts) => parts.length > 0)
    .map((parts) => parts.join('.'))
}

function isSubscription(text: string): boolean {
  try {
    topicPatternOf(text)
    return true
  } catch {
    return false
  }
}

function expectInvalid(run: () => unknown, reason: RegExp): void {
  expect(run).toThrow(StreamerError)
  expect(run).toThrow(expect.objectContaining({ code: 'INVALID_TOPIC', retryable: false }))
  expect(run).toThrow(reason)
}
