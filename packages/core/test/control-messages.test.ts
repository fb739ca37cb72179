import { Buffer } from 'node:buffer'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { ControlCodec, MAX_MESSAGE_BYTES } from '../src/cluster/control-message.ts'
import { Numbers } from '../src/cluster/numbers.ts'
import { Stamps } from '../src/cluster/stamps.ts'
import { ManualClock } from './support/manual-clock.ts'

const MAX_AGE_MS = 60_000
const sender = { from: 'one-1', name: 'one', startedAt: 0 }
const ack = { kind: 'ack', top: 7, says: [], ...sender } as const
const bye = { kind: 'bye', n: 3, ...sender } as const

test('reads what it wrote, for all and for one', () => {
  for (const secret of [undefined, 'between us']) {
    const { codec } = newCodec({ secret })
    expect(codec.decode(codec.encode(bye))).toMatchObject(bye)
    expect(codec.decode(codec.encode(ack, 'two-1'))).toMatchObject(ack)
  }
})

test('what one replica is told, no other takes', () => {
  const { codec } = newCodec({ secret: 'between us' })
  expect(codec.decode(codec.encode(ack, 'three-1'))).toBeUndefined()
  expect(codec.decode(codec.encode(ack))).toBeUndefined()
  expect(codec.decode(codec.encode(bye, 'two-1'))).toBeUndefined()
})

test('takes nothing of another secret, or of none', () => {
  const { codec } = newCodec({ secret: 'between us' })
  const bytes = codec.encode(bye)
  expect(newCodec({ secret: 'another' }).codec.decode(bytes)).toBeUndefined()
  expect(newCodec().codec.decode(bytes)).toBeUndefined()
  expect(codec.decode(newCodec().codec.encode(bye))).toBeUndefined()
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes)
    changed[at]! ^= 1
    expect(codec.decode(changed)).toBeUndefined()
  }
})

test('takes nothing of another namespace', () => {
  const { codec } = newCodec({ secret: 'between us' })
  const other = newCodec({ secret: 'between us', namespace: 'other' }).codec
  expect(codec.decode(other.encode(bye))).toBeUndefined()
})

test('takes nothing signed that is older than removals are remembered', () => {
  const { codec, clock } = newCodec({ secret: 'between us' })
  const bytes = codec.encode(bye)
  clock.advance(MAX_AGE_MS)
  expect(codec.decode(bytes)).toMatchObject(bye)
  clock.advance(1)
  expect(codec.decode(bytes)).toBeUndefined()
})

test('takes nothing that is too large', () => {
  const { codec } = newCodec()
  const says = [[1, '~exists']] as [number, string][]
  const small = codec.encode({ ...ack, says }, 'two-1')
  const large = codec.encode(
    { ...ack, says: Array.from({ length: 100_000 }, () => says[0]!) },
    'two-1',
  )
  expect(codec.decode(small)).toBeDefined()
  expect(large.length).toBeGreaterThan(MAX_MESSAGE_BYTES)
  expect(codec.decode(large)).toBeUndefined()
})

test('takes no stamp from a future that no clock goes wrong by', () => {
  const { codec, clock } = newCodec()
  const told = (stamp: string): unknown => {
    const set = { stamp, ttlMs: 1, metadata: {}, madeAt: '' }
    const client = {
      id: 'a',
      born: stamp,
      made: 0,
      gone: '',
      goneAt: 0,
      set,
      topics: [],
      holders: [],
    }
    return codec.decode(codec.encode({ kind: 'record', n: 1, ...sender, fragment: client }))
  }
  const at = (ms: number): string => `${String(clock.wallTime() + ms).padStart(13, '0')}~one1`
  expect(told(at(10_000))).toBeDefined()
  expect(told(at(3_600_000))).toBeUndefined()
})

test('bytes that are no message are left', () => {
  const { codec } = newCodec()
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      expect(codec.decode(bytes)).toBeUndefined()
    }),
  )
})

test('a field that is not what it should be leaves the whole message', () => {
  const { codec } = newCodec()
  const read = (changed: object): unknown =>
    codec.decode(codec.encode({ ...ack, ...changed }, 'two-1'))
  fc.assert(
    fc.property(
      fc.constantFrom('top', 'says', 'from', 'startedAt'),
      fc.jsonValue(),
      (key, value) => {
        fc.pre(!isOf(value, key))
        expect(read({ [key]: value })).toBeUndefined()
      },
    ),
  )
  expect(read({ kind: 'constructor' })).toBeUndefined()
  expect(read({ other: 'that nobody reads' })).toBeDefined()
})

test('of numbers that came, each counts once, in whichever order', () => {
  fc.assert(
    fc.property(fc.shuffledSubarray(Array.from({ length: 40 }, (_, i) => i + 1)), (order) => {
      const numbers = new Numbers()
      const came = new Set<number>()
      for (const n of [...order, ...order]) {
        expect(numbers.add(n)).toBe(!came.has(n))
        came.add(n)
        numbers.advance()
        let top = 0
        while (came.has(top + 1)) top++
        const ahead = [...came].filter((other) => other > top)
        expect(numbers.top).toBe(top)
        expect(numbers.hole).toEqual(
          ahead.length === 0 ? undefined : [top + 1, Math.min(...ahead) - 1],
        )
      }
    }),
  )
})

test('behind a hole, messages are taken however many they are', () => {
  const numbers = new Numbers()
  const last = 20_000
  for (let n = 2; n <= last; n++) {
    expect(numbers.add(n)).toBe(true)
    numbers.advance()
  }
  expect(numbers.hole).toEqual([1, 1])
  numbers.raise(last)
  expect(numbers.top).toBe(last)
  expect(numbers.hole).toBeUndefined()
  expect(numbers.add(last)).toBe(false)
})

test('a hole is judged once, and what came before the first is none', () => {
  const numbers = new Numbers()
  const came = (n: number): boolean => {
    numbers.add(n)
    const isHole = numbers.judge(n)
    numbers.advance()
    return isHole
  }
  expect(came(5)).toBe(false)
  expect(came(6)).toBe(false)
  expect(came(8)).toBe(true)
  expect(came(9)).toBe(false)
})

/** A codec of the replica `two-1`. */
function newCodec(options: { secret?: string | undefined; namespace?: string } = {}) {
  const clock = new ManualClock()
  const { secret, namespace = 'test' } = options
  const codec = new ControlCodec({
    namespace,
    secret,
    replica: 'two-1',
    stamps: new Stamps(clock, 'two-1'),
    wallTime: () => clock.wallTime(),
    maxAgeMs: MAX_AGE_MS,
  })
  return { codec, clock }
}

/** Whether a value is of the kind that an acknowledgement's field has. */
function isOf(value: unknown, key: string): boolean {
  if (key === 'from') return typeof value === 'string'
  if (key === 'says') return Array.isArray(value) && value.length === 0
  return typeof value === 'number'
}
