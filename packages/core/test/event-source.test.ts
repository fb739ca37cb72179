import { expect, test } from 'vitest'
import { systemClock } from '../src/index.ts'
import { EventSourceClient } from './support/event-source-client.ts'
import { serveStreamer } from './support/serve-streamer.ts'

test('a real EventSource gets the first message, events, and info messages', async () => {
  const { streamer, url } = await serveStreamer()
  const { id } = await streamer.newClient({ topics: ['a', 'b.*'] })
  const client = new EventSourceClient(url(id), ['a', 'b.*', 'named', 'direct'])
  await client.until(({ firstMessages }) => firstMessages === 1)
  await streamer.publish('a', 'two\nlines')
  await streamer.publish('b.c', '😀')
  await streamer.publish('b.c', '', { event: 'named' })
  await streamer.send(id, 'to you')
  await streamer.subscribe(id, 'c')
  await client.until(({ infos }) => infos.length === 2)
  expect(client.fired.map(({ type, data }) => [type, data])).toEqual([
    ['message', expect.stringContaining(`"client_id":"${id}"`)],
    ['a', 'two\nlines'],
    ['b.*', '😀'],
    ['named', ''],
    ['direct', 'to you'],
    ['message', '{"subscriptions":["a","b.*","c"]}'],
  ])
})

test('a real EventSource resumes after the server drops it, as often as it does', async () => {
  const { streamer, url, cut } = await serveStreamer({ retryMs: 20 })
  const { id } = await streamer.newClient({ topics: ['a'] })
  const client = new EventSourceClient(url(id), ['a'])
  const sent: string[] = []
  for (let round = 1; round <= 5; round++) {
    await client.until(({ firstMessages }) => firstMessages === round)
    for (let i = 0; i < 10; i++) {
      if (i === 5) cut()
      sent.push(`${round}.${i}`)
      await streamer.publish('a', sent.at(-1)!)
    }
  }
  await client.until(({ data }) => data.length >= sent.length)
  expect(client.data).toEqual(sent)
  expect(client.infos.filter((info) => 'gap' in info)).toEqual([])
})

test('one EventSource more than the cap settles after one eviction', async () => {
  let connects = 0
  const { streamer, url } = await serveStreamer({
    maxConnectionsPerClient: 2,
    retryMs: 20,
    onConnect: () => connects++,
  })
  const { id } = await streamer.newClient({ topics: ['a'] })
  const tabs: EventSourceClient[] = []
  for (let i = 0; i < 3; i++) {
    const tab = new EventSourceClient(url(id), ['a'])
    await tab.until(({ firstMessages }) => firstMessages === 1)
    tabs.push(tab)
  }
  const [evicted, ...kept] = tabs
  await evicted!.until(({ source }) => source.readyState === source.CONNECTING)
  expect(evicted!.infos.at(-1)).toEqual({ closing: { reason: 'too-many-connections' } })

  await passReconnects()
  expect(connects).toBe(3)
  await streamer.publish('a', 'to those who stay')
  for (const tab of kept) await tab.until(({ data }) => data.length === 1)
  expect(evicted!.data).toEqual([])
})

test('an EventSource that comes during the drain is sent away, and comes back to the next', async () => {
  const heldTimers: (() => void)[] = []
  const old = await serveStreamer({
    retryMs: 20,
    drainMs: 5_000,
    clock: {
      ...systemClock,
      // Nothing but the drain awaits its timers.
      after(ms, run, awaited) {
        if (awaited !== true) return systemClock.after(ms, run)
        heldTimers.push(run)
        return () => {}
      },
    },
  })
  const { id } = await old.streamer.newClient({ topics: ['a'] })
  const early = new EventSourceClient(old.url(id), ['a'])
  await early.until(({ firstMessages }) => firstMessages === 1)
  const closed = old.streamer.close()
  const late = new EventSourceClient(old.url(id), ['a'])
  await late.until(({ infos }) => infos.length >= 2)
  expect(late.infos.slice(0, 2)).toEqual([
    { closing: { reason: 'shutdown' } },
    { closing: { reason: 'shutdown' } },
  ])
  expect(early.source.readyState).toBe(early.source.OPEN)
  for (const run of heldTimers) run()
  await closed
  await early.until(({ infos }) => infos.some((info) => 'closing' in info))
  old.server.close()
  old.cut()

  const next = await serveStreamer({ port: old.port })
  await next.streamer.newClient({ id, topics: ['a'] })
  for (const client of [early, late]) {
    await client.until(({ infos }) => infos.some((info) => 'config' in info))
  }
  await early.until(({ infos }) => infos.some((info) => 'gap' in info))
  expect(early.infos.at(-1)).toEqual({ gap: { reason: 'replica-started' } })
  await next.streamer.publish('a', 'from the next')
  for (const client of [early, late]) await client.until(({ data }) => data.length === 1)
})

test('an EventSource gives up when its client is no more', async () => {
  const { streamer, url } = await serveStreamer({ retryMs: 20 })
  const doomed = await streamer.newClient()
  const client = new EventSourceClient(url(doomed.id))
  await client.until(({ firstMessages }) => firstMessages === 1)
  await doomed.close()
  await client.until(({ source }) => source.readyState === source.CLOSED)
  expect(client.infos.at(-1)).toEqual({ closing: { reason: 'removed' } })
})

/** Lets so much time pass that an EventSource which was going to come back at once has come back. */
async function passReconnects(): Promise<void> {
  const { streamer, url, cut } = await serveStreamer({ retryMs: 20 })
  const { id } = await streamer.newClient()
  const client = new EventSourceClient(url(id))
  for (let round = 1; round <= 5; round++) {
    await client.until(({ firstMessages }) => firstMessages === round)
    cut()
  }
}
