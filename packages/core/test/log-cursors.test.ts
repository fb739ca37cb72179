import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { ClientConnection } from './support/client-connection.ts'
import { CLIENT, logReplica, placeIn, TOPIC } from './support/log-replica.ts'
import { textMessage } from './support/scripted-driver.ts'

test('resumes on another replica exactly, where both read one log', async () => {
  const [one, other] = [await logReplica({ a: 0 }), await logReplica({ a: 0 })]
  for (const at of [one, other]) for (const offset of [1, 2, 3, 4]) at.read('a', offset)
  const connection = await ClientConnection.open(one.url(CLIENT))
  expect(await connection.take(2)).toEqual(['news: a1', 'news: a2'])
  const moved = await ClientConnection.open(other.url(CLIENT), connection.cursor)
  expect(await moved.take(2)).toEqual(['news: a3', 'news: a4'])
})

test('resumes exactly, back and forth, on replicas that read several logs in different orders', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 30 }),
      fc.array(fc.nat(6), { minLength: 1, maxLength: 12 }),
      fc.infiniteStream(fc.nat(2)),
      async (order, moves, picks) => {
        const bases = { a: 0, b: 0, c: 0 }
        const replicas = [await logReplica(bases), await logReplica(bases)]
        const messages = placesOf(order)
        replicas[0]!.driver.hand(textMessage('other', 'unplaced'))
        for (const [log, offset] of messages) replicas[0]!.read(log, offset)
        for (const [log, offset] of shuffledByLog(messages, picks)) replicas[1]!.read(log, offset)
        const got: string[] = []
        let cursor: string | undefined
        for (const [turn, count] of [...moves, 30].entries()) {
          const at = replicas[turn % 2]!
          const connection = await ClientConnection.open(at.url(CLIENT), cursor)
          cursor ??= connection.cursor
          const left = Math.min(count, messages.length - got.length)
          got.push(...(await connection.take(left)))
          cursor = connection.cursor ?? cursor
          await connection.reader.cancel()
        }
        expect(got.toSorted()).toEqual(messages.map(([log, n]) => `news: ${log}${n}`).toSorted())
        for (const name of ['a', 'b', 'c']) {
          const own = got.filter((text) => text.startsWith(`news: ${name}`))
          expect(own).toEqual(own.map((_, i) => `news: ${name}${i + 1}`))
        }
      },
    ),
    { numRuns: 25 },
  )
})

test('tells a gap, and goes on from now, where the log is another one', async () => {
  const one = await logReplica({ a: 0 })
  for (const offset of [1, 2, 3]) one.read('a', offset)
  const connection = await ClientConnection.open(one.url(CLIENT))
  await connection.take(2)
  const other = await logReplica({ a: 0 }, 'younger')
  for (const offset of [1, 2, 3]) other.read('a', offset, 'younger')
  const moved = await ClientConnection.open(other.url(CLIENT), connection.cursor)
  other.read('a', 4, 'younger')
  expect(await moved.take(2)).toEqual(['{"gap":{"reason":"log-changed"}}', 'news: a4'])
})

test('tells a gap where another message stands at the place of the last one', async () => {
  const one = await logReplica({ a: 0 })
  one.read('a', 1)
  const connection = await ClientConnection.open(one.url(CLIENT))
  await connection.take(1)
  const other = await logReplica({ a: 0 })
  other.driver.hand({ ...textMessage(TOPIC, 'not a1'), position: placeIn('a', 1) })
  const moved = await ClientConnection.open(other.url(CLIENT), connection.cursor)
  expect(await moved.take(1)).toEqual(['{"gap":{"reason":"log-changed"}}'])
})

test('tells a gap at a cursor behind the end of the log, once it has read up to there', async () => {
  const one = await logReplica({ a: 0 })
  for (const offset of [1, 2, 3]) one.read('a', offset)
  const connection = await ClientConnection.open(one.url(CLIENT))
  await connection.take(3)
  const other = await logReplica({ a: 0 })
  let asked = 0
  other.driver.catchUp = async () => void asked++
  other.read('a', 1)
  const moved = await ClientConnection.open(other.url(CLIENT), connection.cursor)
  expect(await moved.take(1)).toEqual(['{"gap":{"reason":"log-changed"}}'])
  expect(asked).toBe(2)
})

test('reads up to a cursor before it goes on from there', async () => {
  const one = await logReplica({ a: 0 })
  for (const offset of [1, 2, 3]) one.read('a', offset)
  const connection = await ClientConnection.open(one.url(CLIENT))
  await connection.take(3)
  const other = await logReplica({ a: 0 })
  other.driver.catchUp = async () => {
    for (const offset of [1, 2, 3, 4]) other.read('a', offset)
  }
  const moved = await ClientConnection.open(other.url(CLIENT), connection.cursor)
  expect(await moved.take(1)).toEqual(['news: a4'])
})

test('is not ready for a cursor that it cannot read up to', async () => {
  const one = await logReplica({ a: 0 })
  one.read('a', 1)
  const connection = await ClientConnection.open(one.url(CLIENT))
  await connection.take(1)
  const other = await logReplica({ a: 0 })
  other.driver.catchUp = () => Promise.reject(new Error('out of reach'))
  const answer = await fetch(other.url(CLIENT), {
    headers: { 'last-event-id': connection.cursor! },
  })
  expect(answer.status).toBe(200)
  expect(await answer.text()).toContain('{"closing":{"reason":"not-ready"}}')
})

test('tells nothing of a log that was merely quiet since before this replica read it', async () => {
  const one = await logReplica({ a: 0 })
  for (const offset of [1, 2, 3]) one.read('a', offset)
  const connection = await ClientConnection.open(one.url(CLIENT))
  await connection.take(3)
  const other = await logReplica({ a: 3 })
  const moved = await ClientConnection.open(other.url(CLIENT), connection.cursor)
  other.read('a', 4)
  expect(await moved.take(1)).toEqual(['news: a4'])
})

test('tells a gap below what this replica was handed, and gives what it has', async () => {
  const one = await logReplica({ a: 0, b: 0 })
  for (const offset of [1, 2, 3]) one.read('a', offset)
  one.read('b', 1)
  const connection = await ClientConnection.open(one.url(CLIENT))
  await connection.take(1)
  const other = await logReplica({ a: 2, b: 0 })
  other.read('b', 1)
  other.read('a', 3)
  const moved = await ClientConnection.open(other.url(CLIENT), connection.cursor)
  const gap = '{"gap":{"reason":"window-exceeded"}}'
  expect(await moved.take(3)).toEqual([gap, 'news: b1', 'news: a3'])
})

test('reads a log that joins from its beginning', async () => {
  const one = await logReplica({ a: 0 })
  one.read('a', 1)
  const connection = await ClientConnection.open(one.url(CLIENT))
  await connection.take(1)
  const other = await logReplica({ a: 0 })
  other.read('a', 1)
  other.driver.tell({ type: 'log', position: placeIn('b', 0) })
  other.read('b', 1)
  const moved = await ClientConnection.open(other.url(CLIENT), connection.cursor)
  expect(await moved.take(1)).toEqual(['news: b1'])
})

test('tells of a drop exactly to those who missed something by it', async () => {
  const bounds = { windowBytes: 1_500 }
  const one = await logReplica({ a: 0, b: 0 }, '', bounds)
  const client = await ClientConnection.open(one.url(CLIENT))
  one.read('a', 1)
  await client.take(1)
  for (const offset of [1, 2, 3, 4, 5]) one.read('b', offset, '', 'of no interest')
  await client.reader.cancel()
  const back = await ClientConnection.open(one.url(CLIENT), client.cursor)
  one.read('a', 2)
  expect(await back.take(1)).toEqual(['news: a2'])
  await back.reader.cancel()
  one.read('a', 3)
  for (const offset of [6, 7, 8, 9, 10]) one.read('b', offset, '', 'of no interest')
  const late = await ClientConnection.open(one.url(CLIENT), back.cursor)
  expect(await late.take(1)).toEqual(['{"gap":{"reason":"window-exceeded"}}'])
})

test('has cursors of offsets that no number holds', async () => {
  const base = (1_763_000_000_000n << 64n) | 5n
  const [one, other] = [await logReplica({ a: base }), await logReplica({ a: base })]
  for (const at of [one, other]) for (const by of [1n, 2n]) at.read('a', base + by)
  const connection = await ClientConnection.open(one.url(CLIENT))
  await connection.take(1)
  const moved = await ClientConnection.open(other.url(CLIENT), connection.cursor)
  expect(await moved.take(1)).toEqual([`news: a${base + 2n}`])
})

test('keeps to its own window where the places of too many logs do not fit into a cursor', async () => {
  const bases = Object.fromEntries(Array.from({ length: 80 }, (_, i) => [`log${i}`, 1_000_000_000]))
  const one = await logReplica(bases)
  for (const offset of [1, 2, 3]) one.read('log7', 1_000_000_000 + offset)
  const connection = await ClientConnection.open(one.url(CLIENT))
  await connection.take(1)
  expect(connection.cursor!.length).toBeLessThanOrEqual(512)
  const back = await ClientConnection.open(one.url(CLIENT), connection.cursor)
  expect(await back.take(1)).toEqual(['news: log71000000002'])
})

/** Of each log the messages from 1 on, in that order of logs. */
function placesOf(order: readonly string[]): [log: string, offset: number][] {
  const counts = new Map<string, number>()
  return order.map((log) => {
    const offset = (counts.get(log) ?? 0) + 1
    counts.set(log, offset)
    return [log, offset]
  })
}

/** Another order in which each log keeps its own. */
function shuffledByLog(
  messages: readonly [string, number][],
  picks: Iterator<number>,
): [string, number][] {
  const left = [...messages]
  const shuffled: [string, number][] = []
  while (left.length > 0) {
    const names = [...new Set(left.map(([log]) => log))]
    const log = names[(picks.next().value as number) % names.length]!
    shuffled.push(
      left.splice(
        left.findIndex(([name]) => name === log),
        1,
      )[0]!,
    )
  }
  return shuffled
}
