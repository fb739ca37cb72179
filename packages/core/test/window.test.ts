import { Buffer } from 'node:buffer'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FROM_BEGINNING } from '../src/clients/client-store.ts'
import { sealed } from '../src/events/cursor.ts'
import { Gap, RelayEvent, TopicError } from '../src/events/event.ts'
import { FlowCursors } from '../src/events/flow-cursors.ts'
import { type Audience, Window, type WindowOptions } from '../src/events/window.ts'
import { ManualClock } from './support/manual-clock.ts'

/** What an event of the topic `a` without data counts for. */
const EVENT_BYTES = 402

describe('the bounds of a window', () => {
  test('in bytes drop the oldest entries, as few as will do', () => {
    const { window } = newWindow({ maxBytes: 3 * EVENT_BYTES })
    for (let i = 1; i <= 3; i++) addEvent(window, 'a')
    expect(window.tail).toBe(1)
    addEvent(window, 'a')
    expect([window.tail, window.head]).toEqual([2, 4])
    expect(window.status()).toMatchObject({ messages: 3, bytes: 3 * EVENT_BYTES })
    addEvent(window, 'a', 'x'.repeat(EVENT_BYTES))
    expect([window.tail, window.head]).toEqual([4, 5])
  })

  test('in bytes keep the newest entry, however large it is', () => {
    const { window } = newWindow({ maxBytes: 10 })
    addEvent(window, 'a', 'x'.repeat(1_000))
    expect([window.tail, window.head]).toEqual([1, 1])
    expect(window.at(1)).toBeInstanceOf(RelayEvent)
    addEvent(window, 'a')
    expect([window.tail, window.head]).toEqual([2, 2])
    expect(window.at(1)).toBeUndefined()
  })

  test('in time drop what is older, and nothing at exactly that age', () => {
    const { window, clock } = newWindow({ maxMs: 1_000 })
    addEvent(window, 'a')
    clock.advance(600)
    addEvent(window, 'a')
    clock.advance(400)
    window.dropOld()
    expect(window.tail).toBe(1)
    expect(window.status().ageMs).toBe(1_000)
    clock.advance(1)
    window.dropOld()
    expect(window.tail).toBe(2)
    clock.advance(10_000)
    window.dropOld()
    expect([window.tail, window.head]).toEqual([3, 2])
    expect(window.status()).toMatchObject({ messages: 0, bytes: 0, ageMs: 0 })
  })

  test('leave every entry in its place, through any number of drops', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.array(fc.nat(300), { minLength: 1, maxLength: 60 }),
        (kept, bursts) => {
          const { window } = newWindow({ maxBytes: kept * EVENT_BYTES })
          for (const burst of bursts) {
            for (let i = 0; i < burst; i++) addEvent(window, 'a')
            expect(window.tail).toBe(Math.max(1, window.head - kept + 1))
            expect(window.at(window.tail - 1)).toBeUndefined()
            expect(window.at(window.head + 1)).toBeUndefined()
            for (let at = window.tail; at <= window.head; at++) {
              expect((window.at(at) as RelayEvent).cursor).toBe(window.cursorAt(at))
            }
          }
        },
      ),
      { numRuns: 20 },
    )
  })
})

describe('the cursors of a window', () => {
  test('stand for as many entries as it had received', () => {
    const { window } = newWindow()
    expect(window.cursorAt(window.head)).toBe(sealed('1.epoch.0.0'))
    expect(addEvent(window, 'a').cursor).toBe(sealed('1.epoch.0.1'))
    expect(window.place(sealed('1.epoch.0.1'))).toEqual({ start: { sequence: 1 } })
  })

  test('are unknown from another epoch and from the future', () => {
    const { window } = newWindow()
    addEvent(window, 'a')
    const now = { sequence: 1 }
    const all = { sequence: 0 }
    expect(window.place(sealed('1.other.0.1'))).toEqual({ start: all, gap: 'replica-started' })
    expect(window.place(sealed('1.epoch.0.2'))).toEqual({ start: now, gap: 'cursor-unknown' })
  })

  test('stay known when their entries are dropped: what is lost is another question', () => {
    const { window } = newWindow({ maxBytes: 1 })
    for (let i = 0; i < 10; i++) addEvent(window, 'a')
    expect(window.place(sealed('1.epoch.0.1'))).toEqual({ start: { sequence: 1 } })
  })
})

describe('hasDropped', () => {
  test('is false as long as all that followed is here', () => {
    const { window } = newWindow({ maxBytes: 2 * EVENT_BYTES })
    for (let i = 0; i < 5; i++) addEvent(window, 'a')
    expect(window.hasDropped(audience({ a: 0 }), { sequence: 3 })).toBe(false)
    expect(window.hasDropped(audience({ a: 0 }), { sequence: 2 })).toBe(true)
  })

  test('looks at the topics of the client alone', () => {
    const { window } = dropAll(['a', 'b.c', 'b.c.d'])
    expect(window.hasDropped(audience({ a: 0 }), { sequence: 0 })).toBe(true)
    expect(window.hasDropped(audience({ other: 0 }), { sequence: 0 })).toBe(false)
    expect(window.hasDropped(audience({}), { sequence: 0 })).toBe(false)
  })

  test('looks at what patterns match', () => {
    const { window } = dropAll(['b.c', 'b.c.d'])
    expect(window.hasDropped(audience({ 'b.*': 0 }), { sequence: 0 })).toBe(true)
    expect(window.hasDropped(audience({ 'b.**': 0 }), { sequence: 1 })).toBe(true)
    expect(window.hasDropped(audience({ 'b.*': 0 }), { sequence: 1 })).toBe(false)
    expect(window.hasDropped(audience({ 'x.**': 0 }), { sequence: 0 })).toBe(false)
  })

  test('leaves out what came before the client had the topic', () => {
    const { window } = dropAll(['a', 'b.c'])
    expect(window.hasDropped(audience({ a: 1 }), { sequence: 0 })).toBe(false)
    expect(window.hasDropped(audience({ a: 0 }), { sequence: 0 })).toBe(true)
    expect(window.hasDropped(audience({ 'b.*': 2 }), { sequence: 0 })).toBe(false)
    expect(window.hasDropped(audience({ 'b.*': 1 }), { sequence: 0 })).toBe(true)
  })

  test('knows messages to one client from those to others, and from topics', () => {
    const { window } = newWindow({ maxBytes: 1 })
    addEvent(window, '', '', 'me')
    addEvent(window, 'filler')
    expect(window.hasDropped(audience({}, 'me'), { sequence: 0 })).toBe(true)
    expect(window.hasDropped(audience({}, 'other'), { sequence: 0 })).toBe(false)
    expect(window.hasDropped(audience({ me: 0, '**': 1 }, 'other'), { sequence: 0 })).toBe(false)
  })

  test('is true for everybody when word of a gap was dropped', () => {
    const { window } = newWindow({ maxBytes: 1 })
    window.add((cursor) => new Gap(cursor, 'broker-reconnected'))
    addEvent(window, 'filler')
    expect(window.hasDropped(audience({ other: 0 }), { sequence: 0 })).toBe(true)
    expect(window.hasDropped(audience({ other: 0 }), { sequence: 1 })).toBe(false)
  })

  test('is true for a topic of which word of an error was dropped', () => {
    const { window } = newWindow({ maxBytes: 1 })
    window.add(() => new TopicError('a', 'payload-too-large', 'x'))
    addEvent(window, 'filler')
    expect(window.hasDropped(audience({ a: 0 }), { sequence: 0 })).toBe(true)
    expect(window.hasDropped(audience({ b: 0 }), { sequence: 0 })).toBe(false)
  })

  test('stays right for 10,000 topics that dropped something', () => {
    const { window } = dropAll(Array.from({ length: 10_000 }, (_, i) => `topic.${i}`))
    expect(window.hasDropped(audience({ 'topic.0': 0 }), { sequence: 0 })).toBe(true)
    expect(window.hasDropped(audience({ other: 0 }), { sequence: 0 })).toBe(false)
  })

  test('errs on the side of a gap beyond 10,000 topics, for what came before', () => {
    const topics = Array.from({ length: 10_001 }, (_, i) => `topic.${i}`)
    const { window, clock } = dropAll(topics)
    const { head } = window
    expect(window.hasDropped(audience({ 'topic.0': 0 }), { sequence: 0 })).toBe(true)
    expect(window.hasDropped(audience({ other: 0 }), { sequence: 0 })).toBe(true)
    addEvent(window, 'late')
    clock.advance(60_001)
    window.dropOld()
    expect(window.hasDropped(audience({ other: 0 }), { sequence: head })).toBe(false)
    expect(window.hasDropped(audience({ late: 0 }), { sequence: head })).toBe(true)
  })

  test('agrees with one who remembers everything', () => {
    const topics = ['a', 'a.b', 'a.c', 'd']
    const subscription = fc.constantFrom('a', 'a.b', 'a.*', 'a.**', 'd', '**', 'never')
    let dropped = 0
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...topics), { minLength: 1, maxLength: 30 }),
        fc.dictionary(subscription, fc.nat(10), { maxKeys: 3 }),
        fc.integer({ min: 1, max: 4 }),
        fc.nat(10),
        (flow, subscriptions, kept, from) => {
          const { window } = newWindow({ maxBytes: kept * (EVENT_BYTES + 4) })
          for (const topic of flow) addEvent(window, topic)
          const expected = flow.some((topic, i) => {
            const sequence = i + 1
            if (sequence <= from || sequence >= window.tail) return false
            return Object.entries(subscriptions).some(
              ([wanted, since]) => sequence > since && isWanted(wanted, topic),
            )
          })
          if (expected) dropped++
          expect(window.hasDropped(audience(subscriptions), { sequence: from })).toBe(expected)
        },
      ),
      { numRuns: 1_000 },
    )
    expect(dropped).toBeGreaterThan(50)
  })
})

describe('incompleteSince', () => {
  test('is empty for topics that arrived since before the cursor', () => {
    const { window } = newWindow()
    arrives(window, 'a')
    addEvent(window, 'a')
    expect(window.incompleteSince(audience({ a: 0 }), 0)).toEqual({ topics: [], until: 0 })
  })

  test('names topics that arrive only since after the cursor, and since when', () => {
    const { window } = newWindow()
    addEvent(window, 'a')
    addEvent(window, 'a')
    arrives(window, 'b')
    addEvent(window, 'a')
    arrives(window, 'c')
    addEvent(window, 'a')
    const both = audience({ b: 0, c: 0 })
    expect(window.incompleteSince(both, 1)).toEqual({ topics: ['b', 'c'], until: 3 })
    expect(window.incompleteSince(both, 2)).toEqual({ topics: ['c'], until: 3 })
    expect(window.incompleteSince(both, 3)).toEqual({ topics: [], until: 3 })
  })

  test('names no topic that the client has only since it arrives', () => {
    const { window } = newWindow()
    addEvent(window, 'a')
    addEvent(window, 'a')
    arrives(window, 'b')
    addEvent(window, 'a')
    expect(window.incompleteSince(audience({ b: 2 }), 0)).toEqual({ topics: [], until: 0 })
    expect(window.incompleteSince(audience({ b: 1 }), 0)).toEqual({ topics: ['b'], until: 2 })
  })

  test('names no topic that the client has only since the broker was asked for it', () => {
    const { window } = newWindow()
    addEvent(window, 'a')
    window.asked('b')
    const [before, since] = [audience({ b: FROM_BEGINNING }), audience({ b: 1 })]
    addEvent(window, 'a')
    expect(window.incompleteSince(since, 0)).toEqual({ topics: [], until: 0 })
    expect(window.incompleteSince(before, 0)).toEqual({ topics: ['b'], until: 2 })
    window.completeFromNow('b')
    addEvent(window, 'b')
    expect(window.incompleteSince(since, 0)).toEqual({ topics: [], until: 0 })
    expect(window.incompleteSince(before, 0)).toEqual({ topics: ['b'], until: 2 })
    expect(window.incompleteSince(before, 2)).toEqual({ topics: [], until: 2 })
  })

  test('names a topic that began to arrive behind the cursor, though nothing came in between', () => {
    const { window } = newWindow({ isShared: true })
    arrives(window, 'a')
    const { head } = window
    arrives(window, 'b')
    const both = audience({ a: FROM_BEGINNING, b: FROM_BEGINNING })
    expect(window.incompleteSince(both, head)).toEqual({ topics: ['b'], until: head + 1 })
    expect(window.incompleteSince(both, window.head).topics).toEqual([])
  })

  test('names a topic that is asked for anew until it arrives again', () => {
    const { window } = newWindow()
    arrives(window, 'a')
    addEvent(window, 'a')
    window.incomplete('a')
    window.asked('a')
    addEvent(window, 'b')
    const { head } = window
    expect(window.incompleteSince(audience({ a: 0 }), 0)).toEqual({ topics: ['a'], until: head })
  })

  test('names topics that no longer arrive, up to now', () => {
    const { window } = newWindow()
    arrives(window, 'a')
    addEvent(window, 'a')
    const before = window.head
    window.incomplete('a')
    addEvent(window, 'b')
    const left = window.head
    expect(window.incompleteSince(audience({ a: 0 }), before)).toEqual({
      topics: ['a'],
      until: left,
    })
    expect(window.incompleteSince(audience({ a: 0 }), left).topics).toEqual([])
    addEvent(window, 'b')
    const again = window.head
    arrives(window, 'a')
    addEvent(window, 'a')
    expect(window.incompleteSince(audience({ a: 0 }), left)).toEqual({
      topics: ['a'],
      until: again,
    })
    expect(window.incompleteSince(audience({ a: 0 }), again).topics).toEqual([])
  })
})

/** The broker is asked for a topic and delivers it at once. */
function arrives(window: Window, topic: string): void {
  window.asked(topic)
  window.completeFromNow(topic)
}

function newWindow(options: Partial<WindowOptions> = {}): { window: Window; clock: ManualClock } {
  const clock = new ManualClock()
  const bounds = { maxMs: 60_000, maxBytes: 1_000_000 }
  const cursors = new FlowCursors({ clock, replica: 'epoch', maxMs: 60_000, overlapBeats: 2 })
  return { clock, window: new Window({ clock, cursors, ...bounds, ...options }) }
}

function addEvent(window: Window, topic: string, data = '', to?: string): RelayEvent {
  const payload = Buffer.from(data)
  return window.add(
    (cursor) => new RelayEvent(cursor, { topic, payload, ...(to !== undefined && { to }) }),
  )
}

/** A window that had one event of each topic, in this order, and dropped them all. */
function dropAll(topics: readonly string[]): { window: Window; clock: ManualClock } {
  const { window, clock } = newWindow({ maxBytes: 100_000_000 })
  for (const topic of topics) addEvent(window, topic)
  clock.advance(60_001)
  window.dropOld()
  return { window, clock }
}

function audience(topics: Record<string, number>, id = 'client'): Audience {
  return { id, topics: new Map(Object.entries(topics)) }
}

function isWanted(subscription: string, topic: string): boolean {
  if (subscription === '**') return true
  if (subscription === 'a.**') return topic === 'a' || topic.startsWith('a.')
  if (subscription === 'a.*') return topic.startsWith('a.')
  return subscription === topic
}
