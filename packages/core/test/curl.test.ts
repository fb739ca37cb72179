import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, onTestFinished, test, vi } from 'vitest'
import { readEvents, type ReadEvents } from './support/event-blocks.ts'
import { serveStreamer } from './support/serve-streamer.ts'

test('curl -N shows the first message, events and info messages, and resumes when it was dropped', async () => {
  const { streamer, url, cut } = await serveStreamer()
  const { id } = await streamer.newClient({ topics: ['a'] })
  const first = curl(url(id))
  await first.until('"subscriptions":["a"]')
  await streamer.publish('a', 'two\nlines')
  await streamer.subscribe(id, 'b')
  await first.until('{"subscriptions":["a","b"]}')
  const ended = once(first.child, 'close')
  cut()
  await ended
  const seen = first.read()
  expect(seen.faults).toEqual([])
  expect(seen.events.map(({ event, data }) => [event, data]).slice(1)).toEqual([
    ['a', 'two\nlines'],
    [undefined, '{"subscriptions":["a","b"]}'],
  ])

  await streamer.publish('b', 'missed')
  const cursor = seen.events.findLast(({ event }) => event === 'a')!.id!
  const again = curl(url(id), '-H', `Last-Event-ID: ${cursor}`)
  await again.until('data: missed\n\n')
  await streamer.publish('a', 'live')
  await again.until('data: live\n\n')
  expect(
    again
      .read()
      .events.map(({ event, data }) => [event, data])
      .slice(1),
  ).toEqual([
    ['b', 'missed'],
    ['a', 'live'],
  ])
})

test('curl -N ends with success when the server ends the stream', async () => {
  const { streamer, url } = await serveStreamer()
  const client = await streamer.newClient()
  const reader = curl(url(client.id))
  await reader.until(client.id)
  const ended = once(reader.child, 'close')
  await client.close()
  expect(await ended).toEqual([0, null])
  expect(reader.read().events.at(-1)!.data).toBe('{"closing":{"reason":"removed"}}')
})

interface Curl {
  child: ChildProcess
  /** What it showed so far. */
  read: () => ReadEvents
  until: (text: string) => Promise<void>
}

function curl(...args: string[]): Curl {
  const child = spawn('curl', ['--no-buffer', '--silent', ...args])
  onTestFinished(() => void child.kill())
  let shown = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (shown += text))
  return {
    child,
    read: () => readEvents(shown),
    until: (text) =>
      vi.waitFor(() => expect(shown).toContain(text), { timeout: 10_000, interval: 10 }),
  }
}
