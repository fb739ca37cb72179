import { expect, test, vi } from 'vitest'
import type { Streamer } from '../src/index.ts'
import { ClientConnection } from './support/client-connection.ts'
import { CountingReader } from './support/counting-reader.ts'
import { memoryInUse } from './support/memory-in-use.ts'
import { type ScriptedDriver, scriptedDriver, textMessage } from './support/scripted-driver.ts'
import { serveStreamer } from './support/serve-streamer.ts'
import { StalledReader } from './support/stalled-reader.ts'

const MEBIBYTE = 1024 * 1024
/** How far the messages may be ahead of a reader that keeps up. */
const AHEAD = 2_000

/** Hands numbered messages to the Streamer, no faster than `reader` reads them. */
async function pour(
  driver: ScriptedDriver,
  reader: CountingReader,
  from: number,
  to: number,
  filler = '',
): Promise<void> {
  for (let next = from; next < to; next += AHEAD) {
    for (let i = next; i < next + AHEAD; i++) driver.hand(textMessage('news', `${i}${filler}`))
    await reader.until(next + AHEAD)
  }
}

async function slowConsumers(streamer: Streamer): Promise<number> {
  return (await streamer.status()).counters.slowConsumers
}

test('closes a connection that reads nothing while a million events pass, in flat memory', async () => {
  const driver = scriptedDriver()
  const { streamer, url } = await serveStreamer({ driver, windowBytes: 4 * MEBIBYTE })
  const slow = await streamer.newClient({ topics: ['news'] })
  const { cursor } = await ClientConnection.open(url(slow.id))
  const other = await streamer.newClient({ topics: ['news'] })
  await StalledReader.open(streamer, url(slow.id), cursor)
  const reader = await CountingReader.open(url(other.id))
  await pour(driver, reader, 0, 200_000)
  const early = memoryInUse()
  await pour(driver, reader, 200_000, 1_000_000)
  const late = memoryInUse()
  expect(late - early).toBeLessThan(16 * MEBIBYTE)
  expect(reader.fault).toBeUndefined()
  expect(reader.count).toBe(1_000_000)
  expect(await slowConsumers(streamer)).toBeGreaterThanOrEqual(1)
  expect((await streamer.getClient(other.id))!.connected).toBe(true)
}, 120_000)

test('resumes a client that could not keep up, without loss, and tells it why', async () => {
  const driver = scriptedDriver()
  const { streamer, url } = await serveStreamer({ driver })
  const { id } = await streamer.newClient({ topics: ['news'] })
  const first = await ClientConnection.open(url(id))
  await first.leave(streamer)
  await StalledReader.open(streamer, url(id), first.cursor)
  const other = await streamer.newClient({ topics: ['news'] })
  const reader = await CountingReader.open(url(other.id))
  const filler = `;${'x'.repeat(1_000)}`
  let sent = 0
  while ((await slowConsumers(streamer)) === 0)
    await pour(driver, reader, sent, (sent += AHEAD), filler)
  await vi.waitUntil(async () => !(await streamer.getClient(id))!.connected)
  const back = await ClientConnection.open(url(id), first.cursor)
  expect(back.cursor).toBe(first.cursor)
  expect(await back.take(1)).toEqual(['{"closing":{"reason":"slow-consumer"}}'])
  const numbers = (await back.take(sent)).map((event) =>
    Number.parseInt(event.slice('news: '.length)),
  )
  expect(numbers).toEqual(Array.from({ length: sent }, (_, i) => i))
  await back.leave(streamer)
  const again = await ClientConnection.open(url(id), back.cursor)
  await streamer.publish('news', 'told once')
  expect(await again.take(1)).toEqual(['news: told once'])
})

test('closes 16 connections that read nothing, in flat memory, and no other', async () => {
  const driver = scriptedDriver()
  const { streamer, url } = await serveStreamer({ driver, windowBytes: 4 * MEBIBYTE })
  const other = await streamer.newClient({ topics: ['news'] })
  const reader = await CountingReader.open(url(other.id))
  for (let i = 0; i < 16; i++) {
    const { id } = await streamer.newClient({ topics: ['news'] })
    await StalledReader.open(streamer, url(id))
  }
  const before = memoryInUse()
  const filler = `;${'x'.repeat(400)}`
  let most = 0
  let sent = 0
  while ((await slowConsumers(streamer)) < 16) {
    await pour(driver, reader, sent, (sent += AHEAD), filler)
    most = Math.max(most, memoryInUse() - before)
  }
  // Each may have 1 MiB queued; they share the bytes, so all together hold little more than one.
  expect(most).toBeLessThan(32 * MEBIBYTE)
  expect(reader.fault).toBeUndefined()
  expect((await streamer.status()).connections).toBe(1)
}, 60_000)

test('closes one slow connection of a client, and leaves the other as it is', async () => {
  const driver = scriptedDriver()
  const { streamer, url } = await serveStreamer({ driver })
  const { id } = await streamer.newClient({ topics: ['news'] })
  await StalledReader.open(streamer, url(id))
  const reader = await CountingReader.open(url(id))
  const filler = `;${'x'.repeat(1_000)}`
  let sent = 0
  while ((await slowConsumers(streamer)) === 0)
    await pour(driver, reader, sent, (sent += AHEAD), filler)
  await pour(driver, reader, sent, sent + AHEAD, filler)
  expect(reader.fault).toBeUndefined()
  expect((await streamer.getClient(id))!.connections).toHaveLength(1)
})

test('tells the other connections of a client all, when one of them is closed on the way', async () => {
  const driver = scriptedDriver()
  const { streamer, url } = await serveStreamer({ driver })
  const { id } = await streamer.newClient({ topics: ['big'] })
  await StalledReader.open(streamer, url(id))
  const other = await ClientConnection.open(url(id))
  // With it pending, the message about the subscriptions is what makes a connection write, and find itself full.
  const almostABatch = 'x'.repeat(64 * 1024 - 70)
  for (let round = 0; (await slowConsumers(streamer)) === 0; round++) {
    driver.hand(textMessage('big', almostABatch))
    if (round % 2 === 0) await streamer.subscribe(id, 'extra')
    else await streamer.unsubscribe(id, 'extra')
    await streamer.send(id, 'end of the round')
    const [, subscriptions] = await other.takeUntil('end of the round')
    expect(subscriptions).toBe(
      round % 2 === 0 ? '{"subscriptions":["big","extra"]}' : '{"subscriptions":["big"]}',
    )
  }
})
