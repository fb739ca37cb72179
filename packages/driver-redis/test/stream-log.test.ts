import { expect, test } from 'vitest'
import { offsetOf, StreamLog } from '../src/stream-log.ts'

/** A log that has read entries 1-0 to 10-0 of a stream that then held all of them. */
function logAtTen(): StreamLog {
  const log = new StreamLog('asbru')
  log.startAt({ last: offsetOf('10-0'), added: 10, length: 10, first: offsetOf('1-0') })
  return log
}

const at = (id: string): bigint => offsetOf(id)

test('counts an id as milliseconds times 2^64 plus its number', () => {
  expect(offsetOf('3-7')).toBe(3n * 2n ** 64n + 7n)
  expect(offsetOf('3-18446744073709551615') + 1n).toBe(offsetOf('4-0'))
})

test('names where an entry stands, and reads on behind it', () => {
  const log = logAtTen()
  expect(log.read('11-2')).toEqual({ log: 'asbru', epoch: '', offset: at('11-2') })
  expect(log.id).toBe('11-2')
})

test('names a key of other characters so that no two are the same', () => {
  const names = ['a:b', 'a/b', '{a}b', 'x'.repeat(65), 'x'.repeat(66)].map(
    (key) => new StreamLog(key).name,
  )
  expect(new Set(names).size).toBe(5)
  for (const name of names) expect(name).toMatch(/^[A-Za-z0-9_-]{1,64}$/)
})

test('finds nothing wrong with a stream that only grew', () => {
  expect(
    logAtTen().verify({ last: at('13-0'), added: 13, length: 13, first: at('1-0') }, 3, true),
  ).toBe(undefined)
})

test('finds nothing wrong with a stream of which only what was read was trimmed', () => {
  expect(
    logAtTen().verify({ last: at('13-0'), added: 13, length: 3, first: at('11-0') }, 3, true),
  ).toBe(undefined)
})

test('notices what was trimmed before it was read', () => {
  expect(
    logAtTen().verify({ last: at('13-0'), added: 13, length: 2, first: at('12-0') }, 2, true),
  ).toBe('log-trimmed')
})

test('notices that with more unread than one answer holds, too', () => {
  const info = { last: at('500-0'), added: 500, length: 300, first: at('201-0') }
  expect(logAtTen().verify(info, 100, false)).toBe('log-trimmed')
})

test('notices a stream that was made anew', () => {
  expect(
    logAtTen().verify({ last: at('12-0'), added: 2, length: 2, first: at('11-0') }, 2, true),
  ).toBe('log-changed')
})

test('notices a stream that is gone, once, and reads its successor from the beginning', () => {
  const log = logAtTen()
  expect(log.verify(undefined, 0, true)).toBe('log-changed')
  expect(log.verify(undefined, 0, true)).toBe(undefined)
  expect(log.id).toBe('0-0')
})

test('notices a stream whose ids went back, and goes on at its end', () => {
  const log = logAtTen()
  expect(log.verify({ last: at('8-0'), added: 8, length: 8, first: at('1-0') }, 0, true)).toBe(
    'log-changed',
  )
  expect(log.id).toBe('8-0')
})

test('goes on right before what is left behind a change', () => {
  const log = logAtTen()
  const info = { last: at('13-0'), added: 13, length: 2, first: at('12-0') }
  expect(log.verify(info, 2, true, at('12-0'))).toBe('log-trimmed')
  expect(log.position.offset).toBe(at('12-0') - 1n)
  const empty = logAtTen()
  expect(empty.verify({ ...info, length: 0, first: 0n }, 0, true)).toBe('log-trimmed')
  expect(empty.position.offset).toBe(at('13-0'))
})

test('begins behind an older entry, without a gap once it has counted those behind it', () => {
  const log = new StreamLog('asbru')
  const info = { last: at('12-0'), added: 12, length: 5, first: at('8-0') }
  log.startBehind('10-0', info)
  expect(log.position.offset).toBe(at('10-0'))
  log.read('11-0')
  expect(log.verify(info, 1, true, at('12-0'))).toBe(undefined)
  log.read('12-0')
  expect(
    log.verify({ ...info, last: at('14-0'), added: 14, length: 1, first: at('14-0') }, 1, true),
  ).toBe('log-trimmed')
})

test('begins before the first entry that is left, or at the beginning of all', () => {
  const log = new StreamLog('asbru')
  log.startBehind(undefined, { last: at('12-0'), added: 12, length: 5, first: at('8-0') })
  expect(log.position.offset).toBe(at('8-0') - 1n)
  log.startBehind(undefined, { last: at('12-0'), added: 5, length: 5, first: at('8-0') })
  expect(log.position.offset).toBe(0n)
  log.startBehind(undefined, undefined)
  expect(log.position.offset).toBe(0n)
})

test('has passed what was deleted before it was read, once it has read all', () => {
  const log = logAtTen()
  expect([log.isPast(at('10-0')), log.isPast(at('11-0'))]).toEqual([true, false])
  log.cleared(at('11-0'))
  expect(log.isPast(at('11-0'))).toBe(true)
})

test('says a change once', () => {
  const log = logAtTen()
  const info = { last: at('13-0'), added: 13, length: 2, first: at('12-0') }
  expect(log.verify(info, 2, true)).toBe('log-trimmed')
  log.read('12-0')
  log.read('13-0')
  expect(log.verify(info, 0, true)).toBe(undefined)
})

test('finds nothing wrong with a stream that began after it was first looked for', () => {
  const log = new StreamLog('asbru')
  log.startAt()
  expect(log.verify({ last: at('1-0'), added: 1, length: 1, first: at('1-0') }, 1, true)).toBe(
    undefined,
  )
})
