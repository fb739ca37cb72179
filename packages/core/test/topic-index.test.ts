import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { comparePrecedence, TopicIndex } from '../src/connections/topic-index.ts'
import { pattern, slowlyMatches, topic } from './support/topics.ts'

/** A change, and the topic that is looked up after it. */
const step = fc.record({
  kind: fc.constantFrom('add' as const, 'add' as const, 'delete' as const),
  subscription: pattern,
  member: fc.nat(3),
  asked: topic,
})

describe('TopicIndex', () => {
  test('agrees with a list of all subscriptions after any changes', () => {
    let found = 0
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 60 }), (steps) => {
        const index = new TopicIndex<number>()
        const list = new Map<string, Set<number>>()
        for (const { kind, subscription, member, asked } of steps) {
          index[kind](subscription, member)
          const members = list.get(subscription) ?? new Set()
          members[kind](member)
          list.set(subscription, members)
          const expected = slowlyFind(list, asked)
          found += expected.length
          expect(index.match(asked).map(shown)).toEqual(expected)
        }
      }),
      { numRuns: 500 },
    )
    expect(found).toBeGreaterThan(1_000)
  })

  test('names the exact subscription first, then patterns from the longest to the shortest', () => {
    const index = new TopicIndex<string>()
    const all = ['**', '*.*.*', 'pets.**', 'pets.dogs.*', 'pets.dogs.corgi', '*.dogs.corgi']
    for (const subscription of all) index.add(subscription, 'm')
    expect(index.match('pets.dogs.corgi').map(({ subscription }) => subscription)).toEqual([
      'pets.dogs.corgi',
      '*.dogs.corgi',
      'pets.dogs.*',
      'pets.**',
      '*.*.*',
      '**',
    ])
  })

  test('delivers no reserved topic to a pattern, only to its exact name', () => {
    const index = new TopicIndex<string>()
    for (const subscription of ['**', '*.*', 'asbru.direct', '$SYS.a']) index.add(subscription, 'm')
    for (const reserved of ['asbru.direct', '$SYS.a']) {
      expect(index.match(reserved).map(({ subscription }) => subscription)).toEqual([reserved])
    }
    expect(index.match('_INBOX.a')).toEqual([])
  })

  test('keeps a member once, however often it is added', () => {
    const index = new TopicIndex<string>()
    index.add('a', 'm')
    index.add('a', 'm')
    expect(index.match('a').map(shown)).toEqual([['a', ['m']]])
    index.delete('a', 'm')
    expect(index.match('a')).toEqual([])
  })

  test('takes no harm from the deletion of what is not there', () => {
    const index = new TopicIndex<string>()
    index.add('a.*', 'm')
    for (const subscription of ['a', 'a.*', 'a.**', 'b.*', '**'])
      index.delete(subscription, 'other')
    index.delete('a.*.c', 'm')
    expect(index.match('a.b').map(shown)).toEqual([['a.*', ['m']]])
  })

  test('keeps the longer and the shorter pattern when one of them goes', () => {
    const index = new TopicIndex<string>()
    for (const subscription of ['a.*', 'a.*.c', 'a.**']) index.add(subscription, 'm')
    index.delete('a.*.c', 'm')
    expect(index.match('a.b').map(({ subscription }) => subscription)).toEqual(['a.**', 'a.*'])
    index.delete('a.*', 'm')
    expect(index.match('a.b').map(({ subscription }) => subscription)).toEqual(['a.**'])
    index.delete('a.**', 'm')
    expect(index.match('a.b')).toEqual([])
  })

  test('names the group of a subscription as long as it has members', () => {
    const index = new TopicIndex<string>()
    index.add('a.*', 'm')
    expect(index.group('a.*')?.members).toEqual(['m'])
    expect(index.group('a.b')).toBeUndefined()
    index.delete('a.*', 'm')
    expect(index.group('a.*')).toBeUndefined()
  })
})

test('precedence is a total order, so that every replica names an event alike', () => {
  fc.assert(
    fc.property(fc.uniqueArray(pattern, { maxLength: 8 }), (subscriptions) => {
      const sorted = subscriptions.toSorted(comparePrecedence)
      expect(subscriptions.toReversed().toSorted(comparePrecedence)).toEqual(sorted)
    }),
  )
})

/** With the members in the order of their numbers, of which a group keeps none. */
function shown<Member extends string | number>(group: {
  subscription: string
  members: readonly Member[]
}): [string, Member[]] {
  return [group.subscription, group.members.toSorted((a, b) => (a < b ? -1 : 1))]
}

function slowlyFind(list: Map<string, Set<number>>, name: string): [string, number[]][] {
  return [...list]
    .filter(([subscription, members]) => members.size > 0 && slowlyMatches(subscription, name))
    .map(([subscription, members]) => shown({ subscription, members: [...members] }))
    .toSorted(([a], [b]) => rank(b) - rank(a) || (a < b ? -1 : 1))
}

/** The exact subscription wins, then the longest. */
function rank(subscription: string): number {
  return subscription.includes('*') ? subscription.length : Number.MAX_SAFE_INTEGER
}
