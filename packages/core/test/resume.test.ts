import { EventSource } from 'eventsource'
import { expect, onTestFinished, test, vi } from 'vitest'
import { ClientConnection } from './support/client-connection.ts'
import { RawConnection } from './support/raw-connection.ts'
import { scriptedDriver, textMessage } from './support/scripted-driver.ts'
import { serveStreamer } from './support/serve-streamer.ts'
import { StalledReader } from './support/stalled-reader.ts'

const KIBIBYTE = 1024

function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, i) => String(i))
}

test('resumes from the query’s cursor, and from the header’s rather than it', async () => {
  const { streamer, url } = await serveStreamer()
  const { id } = await streamer.newClient({ topics: ['news'] })
  const cursors: string[] = []
  const connection = await ClientConnection.open(url(id))
  for (const text of ['0', '1', '2']) {
    await streamer.publish('news', text)
    await connection.take(1)
    cursors.push(connection.cursor!)
  }
  const address = `${url(id)}&last_event_id=${encodeURIComponent(cursors[0]!)}`
  const byQuery = await ClientConnection.open(address)
  expect(byQuery.cursor).toBe(cursors[0])
  expect(await byQuery.take(2)).toEqual(['news: 1', 'news: 2'])
  const byHeader = await ClientConnection.open(address, cursors[1])
  expect(byHeader.cursor).toBe(cursors[1])
  expect(await byHeader.take(1)).toEqual(['news: 2'])
})

test('replays for `earliest` all since the client was made, and nothing from before', async () => {
  const { streamer, url } = await serveStreamer()
  await streamer.newClient({ topics: ['news'] })
  await streamer.publish('news', 'too early')
  const { id } = await streamer.newClient({ topics: ['news'] })
  await streamer.publish('news', '0')
  await (await ClientConnection.open(url(id))).leave(streamer)
  await streamer.publish('news', '1')
  for (let round = 0; round < 2; round++) {
    const connection = await ClientConnection.open(`${url(id)}&last_event_id=earliest`)
    expect(await connection.take(2)).toEqual(['news: 0', 'news: 1'])
  }
})

test('goes on from now without a cursor, once the client has been connected', async () => {
  const { streamer, url } = await serveStreamer()
  const { id } = await streamer.newClient({ topics: ['news'] })
  await (await ClientConnection.open(url(id))).leave(streamer)
  await streamer.publish('news', 'missed')
  const connection = await ClientConnection.open(url(id))
  await streamer.publish('news', 'now')
  expect(await connection.take(1)).toEqual(['news: now'])
})

test('resumes exactly from every place at which a connection can be cut', async () => {
  const { streamer, url } = await serveStreamer()
  const { id } = await streamer.newClient({ topics: ['news', 'pets.*'] })
  const cursors: string[] = []
  const expected: string[] = []
  const connection = await ClientConnection.open(url(id))
  for (let i = 0; i < 30; i++) {
    await streamer.publish(i % 3 === 0 ? 'pets.dogs' : 'news', String(i))
    if (i % 5 === 0) await streamer.publish('for-others', String(i))
    expected.push(...(await connection.take(1)))
    cursors.push(connection.cursor!)
  }
  for (const [cut, cursor] of cursors.slice(0, -1).entries()) {
    const back = await ClientConnection.open(url(id), cursor)
    expect(back.cursor).toBe(cursor)
    expect(await back.take(expected.length - cut - 1)).toEqual(expected.slice(cut + 1))
    await back.leave(streamer)
  }
})

test('loses nothing when a connection is cut right after its first message', async () => {
  const { streamer, url, port } = await serveStreamer()
  const { id } = await streamer.newClient({ topics: ['news'] })
  const { cursor } = await ClientConnection.open(url(id))
  for (const text of numbers(5)) await streamer.publish('news', text)
  const raw = await RawConnection.to(port)
  raw.get(`/events?id=${id}`, `Last-Event-ID: ${cursor}\r\n`)
  await raw.until('"subscriptions"')
  raw.socket.destroy()
  const first = /\nid: (\S+)\ndata: \{"config"/.exec(raw.received)![1]
  expect(first).toBe(cursor)
  const back = await ClientConnection.open(url(id), first)
  expect(await back.take(5)).toEqual(numbers(5).map((text) => `news: ${text}`))
})

test('loses nothing with an EventSource whose connection is cut again and again', async () => {
  const { streamer, url, cut } = await serveStreamer({ retryMs: 20 })
  const { id } = await streamer.newClient({ topics: ['news'] })
  const heard: string[] = []
  const source = new EventSource(url(id))
  onTestFinished(() => source.close())
  source.addEventListener('news', ({ data }) => void heard.push(String(data)))
  const sent = numbers(200)
  for (const [i, text] of sent.entries()) {
    await streamer.publish('news', text)
    if (i % 40 !== 39) continue
    // Not all of them have arrived when the connection is cut.
    await vi.waitUntil(() => heard.length > i - 20, { timeout: 10_000 })
    cut()
  }
  await vi.waitFor(() => expect(heard).toHaveLength(200), { timeout: 10_000 })
  expect(heard).toEqual(sent)
})

test('hands over from replay to live while messages pour in', async () => {
  const driver = scriptedDriver()
  const { streamer, url } = await serveStreamer({ driver })
  const { id } = await streamer.newClient({ topics: ['news'] })
  const { cursor } = await ClientConnection.open(url(id))
  let sent = 0
  const pour = (count: number): void => {
    for (let i = 0; i < count; i++) driver.hand(textMessage('news', String(sent++)))
  }
  pour(20_000)
  const opening = ClientConnection.open(url(id), cursor)
  for (let turn = 0; turn < 200; turn++) {
    pour(10)
    await new Promise(setImmediate)
  }
  const back = await opening
  expect(await back.take(sent)).toEqual(numbers(sent).map((text) => `news: ${text}`))
})

test('replays ten times as much as a connection may have queued', async () => {
  const { streamer, url } = await serveStreamer({ maxQueueBytes: 64 * KIBIBYTE })
  const { id } = await streamer.newClient({ topics: ['news'] })
  const filler = 'x'.repeat(KIBIBYTE)
  for (const text of numbers(640)) await streamer.publish('news', `${filler}${text}`)
  const connection = await ClientConnection.open(url(id))
  const arrived = await connection.take(640)
  expect(arrived.map((event) => event.slice('news: '.length + KIBIBYTE))).toEqual(numbers(640))
  expect((await streamer.status()).counters.slowConsumers).toBe(0)
})

test('tells a gap when the window drops under a running replay', async () => {
  const driver = scriptedDriver()
  const { streamer, url } = await serveStreamer({ driver, windowBytes: 24 * KIBIBYTE * KIBIBYTE })
  const { id } = await streamer.newClient({ topics: ['news'] })
  const filler = 'x'.repeat(64 * KIBIBYTE)
  for (let i = 0; i < 350; i++) driver.hand(textMessage('news', `${filler}${i};`))
  const reader = await StalledReader.open(streamer, url(id))
  // The reader stands still, so the replay does, and what it was to read next is dropped.
  for (let i = 350; i < 700; i++) driver.hand(textMessage('news', `${filler}${i};`))
  const text = await reader.readUntil('699;')
  const seen = [...text.matchAll(/x(\d+);|"(window-exceeded)"/g)].map(
    ([, number, gap]) => gap ?? Number(number),
  )
  const at = seen.indexOf('window-exceeded')
  const [before, after] = [seen.slice(0, at) as number[], seen.slice(at + 1) as number[]]
  expect(before).toEqual(before.map((_, i) => i))
  expect(after).toEqual(after.map((_, i) => 700 - after.length + i))
  expect(before.length + after.length).toBeLessThan(700)
})

test('shows in a running replay what the client has by then, and nothing of what it has no longer', async () => {
  const driver = scriptedDriver()
  const { streamer, url } = await serveStreamer({ driver })
  const { id } = await streamer.newClient({ topics: ['news', 'pets'] })
  const filler = 'x'.repeat(64 * KIBIBYTE)
  for (let i = 0; i < 350; i++) {
    driver.hand(textMessage('news', `${filler}news ${i};`))
    driver.hand(textMessage('pets', `pets ${i};`))
    driver.hand(textMessage('weather', `weather ${i};`))
  }
  const reader = await StalledReader.open(streamer, url(id))
  // The reader stands still, so the replay does.
  await streamer.unsubscribe(id, 'news')
  await streamer.subscribe(id, 'weather')
  driver.hand(textMessage('news', 'news 350;'))
  driver.hand(textMessage('weather', 'weather 350;'))
  driver.hand(textMessage('pets', 'pets 350;'))
  const text = await reader.readUntil('pets 350;')
  const numbersOf = (topic: string): number[] =>
    [...text.matchAll(new RegExp(`${topic} (\\d+);`, 'g'))].map(([, number]) => Number(number))
  const news = numbersOf('news')
  expect(news).toEqual(news.map((_, i) => i))
  expect(news.length).toBeLessThan(350)
  expect(numbersOf('pets')).toEqual(numbers(351).map(Number))
  // What was published before it had the topic is not for it, whatever its cursor says.
  expect(numbersOf('weather')).toEqual([350])
})

test('delivers a payload of exactly the limit, live and replayed, and refuses one byte more', async () => {
  const limit = 64 * KIBIBYTE
  const driver = scriptedDriver()
  const { streamer, url } = await serveStreamer({
    driver,
    maxQueueBytes: limit,
    maxPayloadBytes: limit,
  })
  const { id } = await streamer.newClient({ topics: ['big'] })
  const live = await ClientConnection.open(url(id))
  const { cursor } = live
  const full = 'ü'.repeat(limit / 2)
  await streamer.publish('big', full)
  await expect(streamer.publish('big', `${full}x`)).rejects.toMatchObject({
    code: 'PAYLOAD_TOO_LARGE',
  })
  driver.hand(textMessage('big', `${full}x`))
  await streamer.publish('big', full)
  const back = await ClientConnection.open(url(id), cursor)
  for (const connection of [live, back]) {
    const [first, refused, last] = await connection.take(3)
    expect(first === `big: ${full}` && last === first).toBe(true)
    expect(JSON.parse(refused!)).toMatchObject({
      error: { topic: 'big', code: 'payload-too-large' },
    })
  }
})

test('names an event by the exact topic, else by the longest pattern, live and replayed', async () => {
  const { streamer, url } = await serveStreamer()
  const topics = ['pets.dogs', '**', 'pets.*', 'pets.**', '*.cats.*']
  const { id } = await streamer.newClient({ topics })
  const live = await ClientConnection.open(url(id))
  const { cursor } = live
  for (const topic of ['pets.dogs', 'pets.birds', 'pets.cats.tom', 'pets', 'cars'])
    await streamer.publish(topic, topic)
  const expected = [
    'pets.dogs: pets.dogs',
    'pets.**: pets.birds',
    '*.cats.*: pets.cats.tom',
    'pets.**: pets',
    '**: cars',
  ]
  expect(await live.take(5)).toEqual(expected)
  const back = await ClientConnection.open(url(id), cursor)
  expect(await back.take(5)).toEqual(expected)
})

test('puts the topic beside the data with envelope=1, live and replayed', async () => {
  const { streamer, url } = await serveStreamer()
  const { id } = await streamer.newClient({ topics: ['pets.*'] })
  const live = await ClientConnection.open(`${url(id)}&envelope=1`)
  const plain = await ClientConnection.open(url(id))
  const { cursor } = live
  await streamer.publish('pets.dogs', { age: 2 }, { id: 'one' })
  await streamer.publish('pets.cats', 'meow', { event: 'said', id: 'two' })
  const expected = [
    `pets.*: ${JSON.stringify({ topic: 'pets.dogs', data: '{"age":2}', id: 'one' })}`,
    `said: ${JSON.stringify({ topic: 'pets.cats', data: 'meow', event: 'said', id: 'two' })}`,
  ]
  expect(await live.take(2)).toEqual(expected)
  expect(await plain.take(2)).toEqual(['pets.*: {"age":2}', 'said: meow'])
  const back = await ClientConnection.open(`${url(id)}&envelope=1`, cursor)
  expect(await back.take(2)).toEqual(expected)
})

test('gives events without a name none with eventNames `publisher`, live and replayed', async () => {
  const { streamer, url } = await serveStreamer({ eventNames: 'publisher' })
  const { id } = await streamer.newClient({ topics: ['news', 'pets.*'] })
  const live = await ClientConnection.open(url(id))
  const { cursor } = live
  await streamer.publish('news', 'plain')
  await streamer.publish('pets.dogs', 'named', { event: 'woof' })
  await streamer.send(id, 'sent')
  const expected = ['plain', 'woof: named', 'direct: sent']
  expect(await live.take(3)).toEqual(expected)
  const back = await ClientConnection.open(url(id), cursor)
  expect(await back.take(3)).toEqual(expected)
})
