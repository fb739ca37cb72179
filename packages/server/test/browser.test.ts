import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Streamer, type StreamerOptions } from '@asbru/core'
import { memoryDriver } from '@asbru/driver-memory'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { launchChromium } from './support/chromium.ts'

/** What the page keeps of each event that its EventSource fires. */
interface FiredEvent {
  type: string
  data?: string
  lastEventId?: string
  /** The source's `readyState` at that time. */
  state: number
}

const CLOSED = 2

/** A page with an EventSource at hand, and with a fetch that reads until it has seen a text. */
const PAGE = `<!doctype html><link rel="icon" href="data:,"><script>
  const fired = []
  function listen(url, names, withCredentials) {
    const source = new EventSource(url, { withCredentials })
    for (const name of ['open', 'error', 'message', ...names]) {
      source.addEventListener(name, ({ type, data, lastEventId }) =>
        fired.push({ type, data, lastEventId, state: source.readyState }))
    }
  }
  async function read(url, init, text) {
    const response = await fetch(url, init)
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
    let seen = ''
    while (!seen.includes(text)) {
      const { done, value } = await reader.read()
      if (done) break
      seen += value
    }
    await reader.cancel()
    return seen
  }
</script>`

let browser: Browser

beforeAll(async () => {
  browser = await launchChromium()
})

afterAll(async () => {
  await browser.close()
})

test('Chromium gets the first message, events and info messages, byte for byte', async () => {
  const relay = await startRelay()
  const { id } = await relay.streamer.newClient({ topics: ['a', 'pets.*'] })
  const page = await openPage(relay)
  await listen(page, relay.url(id), ['a', 'pets.*', 'direct'])
  await untilFired(page, ({ type }) => type === 'message')
  const payloads = ['', '\uFEFFbom', 'nul\0', ' space', 'a\u2028b', '😀𝄞', '{"json":true}']
  for (const data of payloads) await relay.streamer.publish('a', data)
  await relay.streamer.publish('a', 'cr\rlf\ncrlf\r\nend')
  await relay.streamer.publish('pets.dogs', '\n\ndata: forged\n\nevent: forged')
  await relay.streamer.send(id, 'to you')
  await relay.streamer.subscribe(id, 'b')
  const fired = await untilFired(
    page,
    ({ data }) => data === '{"subscriptions":["a","b","pets.*"]}',
  )
  expect(fired[0]).toMatchObject({ type: 'open' })
  expect(JSON.parse(fired[1]!.data!)).toEqual({
    config: { client_id: id, client_ttl_millis: 60_000 },
    subscriptions: ['a', 'pets.*'],
  })
  expect(fired.slice(2).map(({ type, data }) => [type, data])).toEqual([
    ...payloads.map((data) => ['a', data]),
    ['a', 'cr\nlf\ncrlf\nend'],
    ['pets.*', '\n\ndata: forged\n\nevent: forged'],
    ['direct', 'to you'],
    ['message', '{"subscriptions":["a","b","pets.*"]}'],
  ])
})

test('Chromium resumes by itself after the server cuts its socket', async () => {
  const relay = await startRelay()
  const { id } = await relay.streamer.newClient({ topics: ['a'] })
  const page = await openPage(relay)
  await listen(page, relay.url(id), ['a'])
  await untilFired(page, ({ type }) => type === 'message')
  await relay.streamer.publish('a', 'before')
  await untilFired(page, ({ data }) => data === 'before')
  relay.server.closeAllConnections()
  for (let i = 0; i < 20; i++) await relay.streamer.publish('a', `missed ${i}`)
  await untilFired(page, ({ data }) => data === 'missed 19')
  await relay.streamer.publish('a', 'after')
  const fired = await untilFired(page, ({ data }) => data === 'after')
  expect(fired.filter(({ type }) => type === 'a').map(({ data }) => data)).toEqual([
    'before',
    ...Array.from({ length: 20 }, (_, i) => `missed ${i}`),
    'after',
  ])
  const first = fired.filter(({ type }) => type === 'message')
  expect(first).toHaveLength(2)
  expect(first[1]!.lastEventId).toBe(fired.find(({ data }) => data === 'before')!.lastEventId)
})

test('Chromium stops for good when its client is no more', async () => {
  const relay = await startRelay()
  const client = await relay.streamer.newClient()
  const page = await openPage(relay)
  await listen(page, relay.url(client.id), [])
  await untilFired(page, ({ type }) => type === 'message')
  await client.close()
  const fired = await untilFired(page, ({ type, state }) => type === 'error' && state === CLOSED)
  expect(fired.map(({ data }) => data)).toContain('{"closing":{"reason":"removed"}}')
})

test('a page of an origin that cors names gets an EventSource with its cookies', async () => {
  const { relay, page, cookies } = await startAcross()
  const { id } = await relay.streamer.newClient({ topics: ['a'] })
  await listen(page, relay.url(id), ['a'], true)
  await untilFired(page, ({ type }) => type === 'message')
  await relay.streamer.publish('a', 'across')
  await untilFired(page, ({ data }) => data === 'across')
  expect(cookies).toEqual(['session=7'])
})

test('a page of an origin that cors names may fetch with Last-Event-ID and its cookies', async () => {
  const { relay, page, cookies } = await startAcross()
  const { id } = await relay.streamer.newClient({ topics: ['a'] })
  const init = { credentials: 'include', headers: { 'Cache-Control': 'no-cache' } }
  const first = await read(page, relay.url(id), init, 'subscriptions')
  const cursor = /^id: (.*)$/m.exec(first)![1]!
  await relay.streamer.publish('a', 'missed')
  const headers = { ...init.headers, 'Last-Event-ID': cursor }
  const again = await read(page, relay.url(id), { ...init, headers }, 'missed')
  expect(again).toContain(`id: ${cursor}\n`)
  expect(again).toContain('event: a\ndata: missed\n\n')
  expect(relay.methods).toEqual(['OPTIONS', 'GET', 'OPTIONS', 'GET'])
  expect(cookies).toEqual(['session=7', 'session=7'])
})

test('a page of such an origin can read why it is refused', async () => {
  const { relay, page } = await startAcross()
  const problem = await read(page, relay.url('unknown'), { credentials: 'include' }, '}')
  expect(JSON.parse(problem)).toMatchObject({ code: 'client-not-found', status: 404 })
})

test('a page of another origin gets neither a fetch nor an EventSource', async () => {
  const { relay } = await startAcross()
  const { id } = await relay.streamer.newClient({ topics: ['a'] })
  const page = await openPage(await startRelay())
  const init = { credentials: 'include', headers: { 'Last-Event-ID': '1.x.1' } }
  await expect(read(page, relay.url(id), init, 'subscriptions')).rejects.toThrow('Failed to fetch')
  expect(relay.methods).toEqual(['OPTIONS'])
  await listen(page, relay.url(id), ['a'], true)
  const fired = await untilFired(page, ({ type }) => type === 'error')
  expect(fired).toMatchObject([{ type: 'error', state: CLOSED }])
})

interface Relay {
  streamer: Streamer
  server: Server
  origin: string
  url: (id: string) => string
  /** Of the requests for the stream. */
  methods: string[]
}

/** Serves the page at `/` and the stream beside it. */
async function startRelay(options: Partial<StreamerOptions> = {}): Promise<Relay> {
  const streamer = new Streamer({ driver: memoryDriver(), drainMs: 0, retryMs: 100, ...options })
  const methods: string[] = []
  const server = createServer((request, response) => {
    if (request.url === '/') {
      response.writeHead(200, { 'content-type': 'text/html', 'set-cookie': 'session=7' }).end(PAGE)
    } else {
      methods.push(request.method!)
      streamer.listener(request, response)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    await streamer.close()
    server.close()
    server.closeAllConnections()
  })
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { streamer, server, origin, methods, url: (id) => `${origin}/events?id=${id}` }
}

/** A page of one origin, and a relay at another that trusts it. */
async function startAcross(): Promise<{ relay: Relay; page: Page; cookies: (string | null)[] }> {
  const application = await startRelay()
  const cookies: (string | null)[] = []
  const relay = await startRelay({
    cors: { origins: [application.origin], credentials: true },
    authorizeConnection({ request }) {
      cookies.push(request.headers.get('cookie'))
      return true
    },
  })
  return { relay, page: await openPage(application), cookies }
}

/** Each page has cookies and connections of its own. */
async function openPage({ origin }: Relay): Promise<Page> {
  const context = await browser.newContext()
  onTestFinished(() => context.close())
  const page = await context.newPage()
  await page.goto(`${origin}/`)
  return page
}

async function listen(
  page: Page,
  url: string,
  names: string[],
  withCredentials = false,
): Promise<void> {
  await page.evaluate(`listen(${JSON.stringify([url, names, withCredentials]).slice(1, -1)})`)
}

async function read(page: Page, url: string, init: object, text: string): Promise<string> {
  return page.evaluate(`read(${JSON.stringify([url, init, text]).slice(1, -1)})`)
}

/** Waits until the page's EventSource has fired such an event; resolves with all that it fired. */
async function untilFired(page: Page, isIt: (event: FiredEvent) => boolean): Promise<FiredEvent[]> {
  for (;;) {
    const fired = await page.evaluate<FiredEvent[]>('fired')
    if (fired.some(isIt)) return fired
    await page.waitForFunction(`fired.length > ${fired.length}`)
  }
}
