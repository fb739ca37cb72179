import { expect, test } from 'vitest'
import { ClientConnection } from './support/client-connection.ts'
import { ManualClock } from './support/manual-clock.ts'
import { RawConnection } from './support/raw-connection.ts'
import { scriptedDriver, textMessage } from './support/scripted-driver.ts'
import { serveStreamer } from './support/serve-streamer.ts'

const INTERVAL = 15_000

/** How many keepalives a raw connection was sent. */
function keepalives({ received }: RawConnection): number {
  return received.split(': keepalive\n').length - 1
}

test('sends a comment and the cursor once nothing else was sent for the interval', async () => {
  const clock = new ManualClock()
  const { streamer, port } = await serveStreamer({ clock })
  const { id } = await streamer.newClient({ topics: ['news'] })
  const raw = await RawConnection.to(port)
  raw.get(`/events?id=${id}`)
  await raw.until('"subscriptions"')
  await streamer.publish('news', 'hello')
  await raw.until('hello')
  const cursor = /id: (\S+)\nevent: news/.exec(raw.received)![1]
  clock.advance(INTERVAL)
  await raw.until(': keepalive\n')
  expect(raw.received).toContain(`: keepalive\nid: ${cursor}\n\n`)
  expect(keepalives(raw)).toBe(1)
})

test('sends one for each interval, and none while events pass', async () => {
  const clock = new ManualClock()
  const { streamer, port } = await serveStreamer({ clock })
  const { id } = await streamer.newClient({ topics: ['news'] })
  const raw = await RawConnection.to(port)
  raw.get(`/events?id=${id}`)
  await raw.until('"subscriptions"')
  for (let i = 0; i < 10; i++) {
    await streamer.publish('news', `busy-${i}`)
    await raw.until(`busy-${i}`)
    clock.advance(INTERVAL / 2)
  }
  await streamer.publish('news', 'marker')
  await raw.until('marker')
  expect(keepalives(raw)).toBe(0)
  for (let i = 1; i <= 4; i++) {
    clock.advance(INTERVAL)
    await expect.poll(() => keepalives(raw)).toBe(i)
  }
})

test('moves the cursor of a quiet client past what was for others, so that it misses nothing', async () => {
  const clock = new ManualClock()
  const driver = scriptedDriver()
  const { streamer, port, url } = await serveStreamer({ clock, driver })
  const { id } = await streamer.newClient({ topics: ['quiet'] })
  await streamer.newClient({ topics: ['busy'] })
  const raw = await RawConnection.to(port)
  raw.get(`/events?id=${id}`)
  await raw.until('"subscriptions"')
  for (let i = 0; i < 100; i++) driver.hand(textMessage('busy', String(i)))
  clock.advance(INTERVAL)
  await raw.until(': keepalive\n')
  const cursor = /: keepalive\nid: (\S+)\n/.exec(raw.received)![1]!
  await streamer.publish('quiet', 'missed')
  const back = await ClientConnection.open(url(id), cursor)
  expect(await back.take(1)).toEqual(['quiet: missed'])
  expect(cursor).toMatch(/\.2s\.[\w-]{2}$/)
})
