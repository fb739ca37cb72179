import { natsDriver } from '@asbru/driver-nats'
import { describe, expect, test } from 'vitest'
import { includes, overlap, prefixOf, subjectsOf, topicOf } from '../src/subjects.ts'

describe('the subjects of a topic', () => {
  test.each([
    ['orders.42', ['orders.42']],
    ['pets.*', ['pets.*']],
    ['*.dogs', ['*.dogs']],
    ['pets.**', ['pets', 'pets.>']],
    ['*.**', ['*', '*.>']],
    ['**', ['>']],
  ])('of %s are %j', (topic, subjects) => {
    expect(subjectsOf('', topic)).toEqual(subjects)
    expect(subjectsOf('events.', topic)).toEqual(subjects.map((subject) => `events.${subject}`))
  })

  test('lead back to it', () => {
    expect(topicOf('events.', 'events.orders.42')).toBe('orders.42')
    expect(topicOf('', 'orders.42')).toBe('orders.42')
    expect(topicOf('events.', 'orders.42')).toBeUndefined()
  })
})

describe('two subjects', () => {
  test.each([
    ['a.b', 'a.b', true, true],
    ['a.b', 'a.c', false, false],
    ['a.*', 'a.b', true, true],
    ['a.b', 'a.*', true, false],
    ['a.*', '*.b', true, false],
    ['a.>', 'a.b.c', true, true],
    ['a.>', 'a', false, false],
    ['a', 'a.>', false, false],
    ['a.*', 'a.>', true, false],
    ['a.>', 'a.*', true, true],
    ['>', 'a', true, true],
    ['a.b', 'a.b.c', false, false],
    ['a.*.c', 'a.b.>', true, false],
  ])('%s and %s overlap: %s, the first includes the second: %s', (a, b, overlaps, isIncluded) => {
    expect(overlap(a, b)).toBe(overlaps)
    expect(overlap(b, a)).toBe(overlaps)
    expect(includes(a, b)).toBe(isIncluded)
  })
})

describe('options', () => {
  test.each(['events', 'a b.', '.', '.a.', 'a..', 'a.*.', '>.'])(
    'refuse the prefix %j',
    (prefix) => {
      expect(() => natsDriver({ prefix })).toThrow(TypeError)
    },
  )

  test.each(['', 'events.', 'a.b.'])('take the prefix %j', (prefix) => {
    expect(prefixOf(prefix)).toBe(prefix)
  })

  test('refuse a connection and a client at once', () => {
    const client = { connection: {}, client: {} as never }
    expect(() => natsDriver(client)).toThrow('not both')
  })

  test.each(['', 'a.b', 'a b', 'a>', 'a/b'])('refuse the stream name %j', (stream) => {
    expect(() => natsDriver({ jetstream: { stream } })).toThrow(TypeError)
  })

  test('say which capabilities there are', () => {
    expect(natsDriver().capabilities).toMatchObject({ positions: false, ordering: 'publisher' })
    expect(natsDriver({ jetstream: { stream: 'EVENTS' } }).capabilities).toMatchObject({
      positions: true,
      ordering: 'topic',
    })
  })
})
