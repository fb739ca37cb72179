import { EventSource } from 'eventsource'
import { expect, onTestFinished, test, vi } from 'vitest'
import { post, run, serve, type ServingAsbru } from './support/asbru.ts'

const TOPIC = 'orders.42'
const driver = ['--driver', 'kubernetes', '--driver.secret', 's']

test('relays that know one of them give what each is asked to publish to the clients of all', async () => {
  const first = await serve([...driver, '--driver.peers', '127.0.0.1:1'])
  const seed = new URL(first.internal).host
  const others = [await relay(seed), await relay(seed)]
  const all = [first, ...others]
  const clients = await Promise.all(all.map(client))
  for (const { api } of all) await post(`${api}/topics/${TOPIC}/messages`, { from: api })
  const published = all.map(({ api }) => `{"from":"${api}"}`).toSorted()
  for (const each of clients) expect((await each(all.length)).toSorted()).toEqual(published)
})

test('a relay that drains has messages posted to it until its last connection ends', async () => {
  const drain = ['--drain-ms', '3000']
  const draining = await serve([...driver, ...drain, '--driver.peers', '127.0.0.1:1'])
  const other = await relay(new URL(draining.internal).host)
  const streams = await Promise.all(Array.from({ length: 20 }, () => drainedStream(draining)))
  draining.asbru.signal('SIGTERM')
  await draining.asbru.says('stderr', /stopping/)
  let number = 0
  const ended = draining.asbru.ended.then(({ code }) => code)
  while (streams.some(({ isOpen }) => isOpen))
    await post(`${other.api}/topics/${TOPIC}/messages`, number++)
  expect(await ended).toBe(0)
  for (const { got } of streams) expect(got).toEqual(got.map((_, i) => i))
  const lengths = streams.map(({ got }) => got.length).toSorted((a, b) => a - b)
  expect(lengths.at(-1)).toBeGreaterThan(lengths[0]!)
})

test('a relay takes the unsigned posts of plain programs with the token of its API', async () => {
  const serving = await serve([...driver, '--driver.peers', '127.0.0.1:1', '--api-token', 't'])
  const send = (token: string): Promise<Response> =>
    fetch(`${serving.internal}/api/json/v1/send`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: '{"stream":"news","msg":"hello"}',
    })
  expect((await send('t')).status).toBe(200)
  expect((await send('x')).status).toBe(401)
})

test.each([
  ['no peers', []],
  ['peers in two ways', ['--driver.service', 'asbru', '--driver.peers', '127.0.0.1:1']],
  ['peers in two ways', ['--driver.dns', 'asbru', '--driver.peers', '127.0.0.1:1']],
  ['peers in two ways', ['--driver.service', 'asbru', '--driver.dns', 'asbru']],
])('a relay that is told of %s ends with a fault of its configuration: %s', async (_, told) => {
  const ports = ['--port', '0', '--internal-port', '0']
  const { code, stdout, stderr } = await run(['serve', ...ports, ...driver, ...told])
  expect(stderr).toContain('driver: needs exactly one of: service, dns, peers')
  expect(stdout).toBe('')
  expect(code).toBe(2)
})

function relay(seed: string): Promise<ServingAsbru> {
  return serve([...driver, '--driver.peers', seed])
}

/** An EventSource on a relay, until that says that it closes. */
async function drainedStream(serving: ServingAsbru): Promise<{ isOpen: boolean; got: number[] }> {
  const source = await openSource(serving)
  const stream = { isOpen: true, got: [] as number[] }
  source.addEventListener(TOPIC, ({ data }) => void stream.got.push(Number(data)))
  source.addEventListener('message', ({ data }) => {
    if ((data as string).includes('"closing"')) end()
  })
  source.addEventListener('error', end)
  return stream

  function end(): void {
    stream.isOpen = false
    source.close()
  }
}

/** An EventSource on a relay, whose first events can be waited for. */
async function client(serving: ServingAsbru): Promise<(count: number) => Promise<string[]>> {
  const source = await openSource(serving)
  const got: string[] = []
  source.addEventListener(TOPIC, ({ data }) => void got.push(data as string))
  return async (count) => {
    await vi.waitFor(() => expect(got.length).toBeGreaterThanOrEqual(count), { timeout: 10_000 })
    return got
  }
}

/** An open EventSource of a client that has the topic; it is closed with the test. */
async function openSource({ events, api }: ServingAsbru): Promise<EventSource> {
  const { id } = await post(`${api}/clients`, { topics: [TOPIC] })
  const source = new EventSource(`${events}?id=${id}`)
  onTestFinished(() => source.close())
  await new Promise((resolve, reject) => {
    source.addEventListener('open', resolve)
    source.addEventListener('error', reject)
  })
  return source
}
