import { readFileSync } from 'node:fs'
import { connect } from 'node:http2'
import { join } from 'node:path'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { launchChromium } from '../../packages/server/test/support/chromium.ts'
import { post, serve, type ServingAsbru } from '../../packages/server/test/support/asbru.ts'
import { examples } from './compose-example.ts'
import { debianProgram } from './debian-program.ts'
import { startProxy } from './start-proxy.ts'

const file = join(examples, 'nginx-http2/nginx.conf')
const TABS = 10

let browser: Browser

beforeAll(async () => {
  // The first use on a machine unpacks it.
  await debianProgram('nginx')
  browser = await launchChromium()
}, 300_000)

afterAll(() => browser.close())

test('the chart, the manifests and the example have one configuration', () => {
  const copies = ['helm/asbru/files/nginx.conf', 'kustomize/nginx/nginx.conf']
  for (const copy of copies) {
    expect(readFileSync(join(examples, '../deploy', copy), 'utf8')).toBe(readFileSync(file, 'utf8'))
  }
})

test('ten tabs of one origin all get events over HTTP/2', async () => {
  const relay = await serve(['--anonymous.topics', 'news'])
  const origin = await startNginx(relay)
  const tabs = await openTabs(origin)
  const protocols = await Promise.all(tabs.map(({ protocol }) => protocol))
  expect(protocols).toEqual(Array.from({ length: TABS }, () => 'h2'))
  await Promise.all(tabs.map(({ page }) => untilOpen(page)))
  await publish(relay, 'hello')
  await Promise.all(tabs.map(({ page }) => untilSeen(page, 'hello')))
})

test('over HTTP/1.1 six tabs get events, and four wait', async () => {
  const relay = await serve(['--anonymous.topics', 'news'])
  const tabs = await openTabs(
    await startNginx(relay, (config) => config.replace(' ssl http2', ' ssl')),
  )
  await expect
    .poll(() => statesOf(tabs), { timeout: 10_000 })
    .toEqual([0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
  await publish(relay, 'hello')
  const open = await openOnes(tabs)
  await Promise.all(open.map((page) => untilSeen(page, 'hello')))
  expect(await statesOf(tabs)).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
})

test('keepalives, events and resume pass at once, and nothing is compressed', async () => {
  const relay = await serve(['--keepalive-ms', '100'])
  const origin = await startNginx(relay, (config) =>
    config.replace('http {', 'http {\n  gzip on;\n  gzip_types *;\n  gzip_min_length 1;'),
  )
  const { id } = await post(`${relay.api}/clients`, { topics: ['news'] })
  const first = read(origin, `/events?id=${id}`, {})
  expect(await first.headers).not.toHaveProperty('content-encoding')
  await first.seen(/^: keepalive$/m)
  await publish(relay, 'one')
  await first.seen(/^data: ?one\n(?:.+\n)*\n/m)
  const block = first
    .text()
    .split('\n\n')
    .find((each) => /^data: ?one$/m.test(each))!
  const [, cursor] = /^id: ?(.+)$/m.exec(block)!
  first.close()
  await publish(relay, 'two')
  const second = read(origin, `/events?id=${id}`, { 'last-event-id': cursor! })
  await second.seen(/^data: ?two$/m)
  expect(second.text()).not.toMatch(/^data: ?one$/m)
})

function startNginx(
  { events }: ServingAsbru,
  change: (config: string) => string = (config) => config,
): Promise<string> {
  return startProxy('nginx', ({ port, dir }) =>
    change(readFileSync(file, 'utf8'))
      .replaceAll('/tmp/', `${dir}/`)
      .replaceAll('/etc/nginx/tls', dir)
      .replace('worker_processes auto', 'worker_processes 1')
      .replace('listen 8443', `listen 127.0.0.1:${port}`)
      .replace('127.0.0.1:8080', new URL(events).host),
  ).then((port) => `https://127.0.0.1:${port}`)
}

async function publish({ api }: ServingAsbru, data: string): Promise<void> {
  const response = await fetch(`${api}/topics/news/messages`, { method: 'POST', body: data })
  expect(response.ok).toBe(true)
}

interface Tab {
  readonly page: Page
  /** What the answer to its EventSource came by. */
  readonly protocol: Promise<string>
}

async function openTabs(origin: string): Promise<Tab[]> {
  const context = await browser.newContext({ ignoreHTTPSErrors: true })
  onTestFinished(() => context.close())
  await context.route(`${origin}/`, (route) =>
    route.fulfill({ contentType: 'text/html', body: '<link rel="icon" href="data:,">' }),
  )
  return Promise.all(Array.from({ length: TABS }, () => openTab(context, origin)))
}

async function openTab(context: BrowserContext, origin: string): Promise<Tab> {
  const page = await context.newPage()
  await page.goto(`${origin}/`)
  const session = await context.newCDPSession(page)
  await session.send('Network.enable')
  const protocol = new Promise<string>((resolve) => {
    session.on('Network.responseReceived', ({ response }) => {
      if (response.url.includes('/events')) resolve(response.protocol ?? 'none')
    })
  })
  await page.evaluate(`
    globalThis.seen = []
    globalThis.source = new EventSource('/events?topic=news')
    source.addEventListener('news', ({ data }) => seen.push(data))`)
  return { page, protocol }
}

async function untilOpen(page: Page): Promise<void> {
  await page.waitForFunction('source.readyState === 1')
}

async function untilSeen(page: Page, data: string): Promise<void> {
  await page.waitForFunction(`seen.includes('${data}')`)
}

async function statesOf(tabs: readonly Tab[]): Promise<number[]> {
  const states = await Promise.all(
    tabs.map(({ page }) => page.evaluate<number>('source.readyState')),
  )
  return states.toSorted((a, b) => a - b)
}

async function openOnes(tabs: readonly Tab[]): Promise<Page[]> {
  const states = await Promise.all(tabs.map(({ page }) => page.evaluate('source.readyState')))
  return tabs.filter((_, i) => states[i] === 1).map(({ page }) => page)
}

/** Reads an event stream over HTTP/2, as one that would take compressed bytes. */
function read(origin: string, path: string, more: Record<string, string>) {
  const session = connect(origin, { rejectUnauthorized: false })
  onTestFinished(() => session.destroy())
  const request = session.request({ ':path': path, 'accept-encoding': 'gzip, br', ...more })
  let text = ''
  request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
  const headers = new Promise<object>((resolve) => request.once('response', resolve))
  return {
    headers,
    text: () => text,
    close: () => session.destroy(),
    async seen(what: RegExp): Promise<RegExpExecArray> {
      await expect.poll(() => text, { timeout: 10_000 }).toMatch(what)
      return what.exec(text)!
    },
  }
}
