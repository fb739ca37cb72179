import { expect, test } from 'vitest'
import { FlowCursors } from '../src/events/flow-cursors.ts'
import { LogCursors } from '../src/events/log-cursors.ts'
import type { GapReason } from '../src/index.ts'
import { ClientConnection } from './support/client-connection.ts'
import { CLIENT, type LogReplica, logReplica, placeIn, TOPIC } from './support/log-replica.ts'
import { ManualClock } from './support/manual-clock.ts'
import { textMessage } from './support/scripted-driver.ts'

const SMALL = { windowBytes: 1_500 }
const EXCEEDED = '{"gap":{"reason":"window-exceeded"}}'

test('remembers a dropped gap that moved no log, for one who stands exactly there', async () => {
  const one = await logReplica({ a: 0 }, '', SMALL)
  const { cursor } = await afterOne(one)
  one.driver.tell({ type: 'gap', reason: 'messages-dropped' })
  for (let offset = 2; offset < 8; offset++) one.read('a', offset, '', 'of no interest')
  const back = await ClientConnection.open(one.url(CLIENT), cursor)
  expect(await back.take(1)).toEqual([EXCEEDED])
})

test('remembers it, too, where it is the last that was dropped', async () => {
  const one = await logReplica({ a: 0 }, '', SMALL)
  const { cursor } = await afterOne(one)
  one.driver.tell({ type: 'gap', reason: 'messages-dropped' })
  await turn()
  for (let offset = 2; offset < 5; offset++) one.read('a', offset, '', 'of no interest')
  const back = await ClientConnection.open(one.url(CLIENT), cursor)
  expect(await back.take(1)).toEqual([EXCEEDED])
})

test('tells a gap that moved no log, whatever else came at its place', async () => {
  const one = await logReplica({ a: 0 })
  const { cursor } = await afterOne(one)
  one.driver.tell({ type: 'gap', reason: 'messages-dropped' })
  one.driver.tell({ type: 'topicFailed', topic: 'other', error: new Error('no permission') })
  const back = await ClientConnection.open(one.url(CLIENT), cursor)
  expect(await back.take(1)).toEqual(['{"gap":{"reason":"messages-dropped"}}'])
})

test.each(['saw it made anew', 'began later'])(
  'compares a cursor with a message that was dropped, on a replica that %s',
  async (which) => {
    const one = await logReplica({ a: 0 }, '', SMALL)
    const { cursor } = await afterOne(one)
    const other = which === 'began later' ? await logReplica({ a: 0 }, '', SMALL) : one
    if (other === one) goOn(one, 'log-changed', 0)
    for (let offset = 1; offset < 12; offset++) {
      other.driver.hand({
        ...textMessage('other', `new ${offset}`),
        position: placeIn('a', offset),
      })
    }
    const back = await ClientConnection.open(other.url(CLIENT), cursor)
    expect(await back.take(1)).toEqual(['{"gap":{"reason":"log-changed"}}'])
  },
)

test('tells nothing to one who was quiet until the message of its cursor was dropped', async () => {
  const one = await logReplica({ a: 0 }, '', SMALL)
  const { cursor } = await afterOne(one)
  for (let offset = 2; offset < 12; offset++) one.read('a', offset, '', 'of no interest')
  one.read('a', 12)
  const back = await ClientConnection.open(one.url(CLIENT), cursor)
  expect(await back.take(1)).toEqual(['news: a12'])
})

test('takes a message of another topic at the place of the last one for another log', async () => {
  const one = await logReplica({ a: 0 })
  one.driver.hand({ ...textMessage(TOPIC, 'same'), position: placeIn('a', 1) })
  const connection = await ClientConnection.open(one.url(CLIENT))
  await connection.take(1)
  const other = await logReplica({ a: 0 })
  other.driver.hand({ ...textMessage('other', 'same'), position: placeIn('a', 1) })
  const moved = await ClientConnection.open(other.url(CLIENT), connection.cursor)
  expect(await moved.take(1)).toEqual(['{"gap":{"reason":"log-changed"}}'])
})

test('tells thousands of messages at one place apart', () => {
  const own = new FlowCursors({ replica: 'r', clock: new ManualClock(), maxMs: 0, overlapBeats: 1 })
  const cursors = Array.from({ length: 8_192 }, (_, n) => {
    const logs = new LogCursors({ own, onTooMany: () => {} })
    logs.reads(placeIn('a', 1), TOPIC, textMessage(TOPIC, `text ${n}`).payload)
    return logs.now(1)
  })
  // Of 65,536 checks about 7,700 turn up; twelve bits have 4,096.
  expect(new Set(cursors).size).toBeGreaterThan(7_000)
})

test.each<[GapReason, number]>([
  ['log-trimmed', 5],
  ['log-changed', 0],
])('tells a gap once: its cursor is the one behind it (%s)', async (reason, offset) => {
  const one = await logReplica({ a: 0 })
  one.read('a', 1)
  const connection = await ClientConnection.open(one.url(CLIENT))
  await connection.take(1)
  goOn(one, reason, offset)
  expect(await connection.take(1)).toEqual([`{"gap":{"reason":"${reason}"}}`])
  await connection.leave(one.streamer)
  const back = await ClientConnection.open(one.url(CLIENT), connection.cursor)
  one.read('a', offset + 1)
  expect(await back.take(1)).toEqual([`news: a${offset + 1}`])
})

test('tells a gap to one who comes from within it', async () => {
  const [one, other] = [await logReplica({ a: 0 }), await logReplica({ a: 0 })]
  for (const at of [one, other]) at.read('a', 1)
  one.read('a', 2)
  const connection = await ClientConnection.open(one.url(CLIENT))
  await connection.take(2)
  goOn(other, 'log-trimmed', 5)
  other.read('a', 6)
  const moved = await ClientConnection.open(other.url(CLIENT), connection.cursor)
  expect(await moved.take(2)).toEqual(['{"gap":{"reason":"log-trimmed"}}', 'news: a6'])
})

test('gives nothing twice to one whom a gap meets ahead of this replica in another log', async () => {
  const [one, other] = [await logReplica({ a: 0, b: 0 }), await logReplica({ a: 0, b: 0 })]
  for (const offset of [1, 2, 3]) one.read('a', offset)
  const connection = await ClientConnection.open(one.url(CLIENT))
  await connection.take(3)
  other.read('a', 1)
  goOn(other, 'log-trimmed', 4, 'b')
  for (const offset of [2, 3, 4]) other.read('a', offset)
  const moved = await ClientConnection.open(other.url(CLIENT), connection.cursor)
  expect(await moved.take(1)).toEqual(['{"gap":{"reason":"log-trimmed"}}'])
  const { cursor } = moved
  await moved.leave(other.streamer)
  const back = await ClientConnection.open(other.url(CLIENT), cursor)
  expect(await back.take(1)).toEqual(['news: a4'])
})

test('tells nothing of a gap in one log to one who was past it, and behind in another', async () => {
  const [one, other] = [await logReplica({ a: 0, b: 0 }), await logReplica({ a: 0, b: 0 })]
  for (let offset = 1; offset < 6; offset++) one.read('a', offset)
  const connection = await ClientConnection.open(one.url(CLIENT))
  await connection.take(5)
  other.read('b', 1)
  goOn(other, 'log-trimmed', 4)
  other.read('a', 5)
  other.read('b', 2)
  const moved = await ClientConnection.open(other.url(CLIENT), connection.cursor)
  expect(await moved.take(2)).toEqual(['news: b1', 'news: b2'])
})

test('remembers of each log the last gap that was dropped', async () => {
  const [one, other] = [
    await logReplica({ a: 0, b: 0 }),
    await logReplica({ a: 0, b: 0 }, '', SMALL),
  ]
  for (let offset = 1; offset < 6; offset++) one.read('b', offset, '', 'of no interest')
  const { cursor } = await afterOne(one)
  other.read('a', 1)
  goOn(other, 'log-trimmed', 4)
  goOn(other, 'log-trimmed', 4, 'b')
  for (let offset = 5; offset < 12; offset++) other.read('b', offset, '', 'of no interest')
  const moved = await ClientConnection.open(other.url(CLIENT), cursor)
  expect(await moved.take(1)).toEqual([EXCEEDED])
})

test('notices that a log was made anew before it judges a cursor in the new one', async () => {
  const one = await logReplica({ a: 0 }, 'younger')
  one.read('a', 1, 'younger')
  const connection = await ClientConnection.open(one.url(CLIENT))
  await connection.take(1)
  const other = await logReplica({ a: 5 })
  other.driver.catchUp = async () => {
    goOn(other, 'log-changed', 0, 'a', 'younger')
    for (const offset of [1, 2]) other.read('a', offset, 'younger')
  }
  const moved = await ClientConnection.open(other.url(CLIENT), connection.cursor)
  expect(await moved.take(1)).toEqual(['news: a2'])
})

test('notices that a log was made anew before it goes on from the beginning of the new one', async () => {
  const [one, other] = [await logReplica({ a: 0 }), await logReplica({ a: 0 })]
  for (const at of [one, other]) at.read('a', 1)
  const connection = await ClientConnection.open(one.url(CLIENT))
  await connection.take(1)
  goOn(one, 'log-changed', 0)
  await connection.take(1)
  other.driver.catchUp = async () => {
    goOn(other, 'log-changed', 0)
    other.driver.hand({ ...textMessage(TOPIC, 'new'), position: placeIn('a', 1) })
  }
  const moved = await ClientConnection.open(other.url(CLIENT), connection.cursor)
  expect(await moved.take(1)).toEqual(['news: new'])
})

test('notices that a log was made anew before it goes on from where it began itself', async () => {
  const [one, other] = [await logReplica({ a: 0 }), await logReplica({ a: 5 })]
  one.read('a', 1)
  const connection = await ClientConnection.open(one.url(CLIENT))
  await connection.take(1)
  other.read('a', 6)
  other.driver.catchUp = async () => {
    goOn(other, 'log-changed', 0)
    for (const offset of [1, 2]) other.read('a', offset)
  }
  const moved = await ClientConnection.open(other.url(CLIENT), connection.cursor)
  expect(await moved.take(1)).toEqual(['news: a2'])
})

test('takes a log for another one if it took its place, though it begins further on', async () => {
  const [one, other] = [await logReplica({ a: 0 }), await logReplica({ a: 0 })]
  for (const offset of [1, 2, 3, 4, 5]) one.read('a', offset)
  const connection = await ClientConnection.open(one.url(CLIENT))
  await connection.take(5)
  other.read('a', 1)
  goOn(other, 'log-changed', 5)
  other.read('a', 6)
  const moved = await ClientConnection.open(other.url(CLIENT), connection.cursor)
  expect(await moved.take(1)).toEqual(['{"gap":{"reason":"cursor-unknown"}}'])
})

test('does not take the beginning of the log of before for that of the one made anew', async () => {
  const one = await logReplica({ a: 0 }, '', SMALL)
  for (const offset of [1, 2]) one.read('a', offset)
  goOn(one, 'log-changed', 0)
  for (let offset = 1; offset < 8; offset++) one.read('a', offset, '', 'of no interest')
  const connection = await ClientConnection.open(one.url(CLIENT))
  expect(await connection.take(1)).toEqual(['{"gap":{"reason":"log-changed"}}'])
})

/** The client has had the first message of the log, and is away again. */
async function afterOne(at: LogReplica): Promise<ClientConnection> {
  at.read('a', 1)
  const connection = await ClientConnection.open(at.url(CLIENT))
  await connection.take(1)
  await connection.leave(at.streamer)
  return connection
}

/** What a driver tells that goes on elsewhere in a log. */
function goOn(
  { driver }: LogReplica,
  reason: GapReason,
  offset: number,
  log = 'a',
  epoch = '',
): void {
  driver.tell({ type: 'gap', reason })
  driver.tell({ type: 'log', position: placeIn(log, offset, epoch) })
}

/** Lets all promises that are settled run on. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
