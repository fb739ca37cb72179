import { once } from 'node:events'
import { createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Page } from 'playwright-core'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Asbru, post } from './support/asbru.ts'
import { launchChromium } from './support/chromium.ts'

describe('the page of the demo', () => {
  test('publishes, and shows what arrives', async () => {
    const page = await openPage()
    await publish(page, 'news', 'Hello from the test')
    await page.locator('#events li', { hasText: 'Hello from the test' }).waitFor()
    expect(await page.locator('#subscriptions li span').allTextContents()).toEqual([
      'news',
      'ticker',
    ])
  })

  test('subscribes to a pattern and unsubscribes from it', async () => {
    const page = await openPage()
    await page.fill('#subscribe [name=topic]', 'orders.*')
    await page.click('#subscribe button')
    await page.locator('#subscriptions li', { hasText: 'orders.*' }).waitFor()
    await publish(page, 'orders.42', 'wanted')
    await page.locator('#events li', { hasText: 'wanted' }).waitFor()

    await page.click('[aria-label="Unsubscribe from orders.*"]')
    await page.locator('#subscriptions li', { hasText: 'orders.*' }).waitFor({ state: 'detached' })
    await publish(page, 'orders.42', 'not any more')
    await publish(page, 'news', 'published after it')
    await page.locator('#events li', { hasText: 'published after it' }).waitFor()
    expect(await page.locator('#events li', { hasText: 'not any more' }).count()).toBe(0)
  })

  test('resumes on the same EventSource when the server cuts it, and counts what was replayed', async () => {
    const page = await openPage()
    await publish(page, 'news', 'before the cut')
    await page.locator('#events li', { hasText: 'before the cut' }).waitFor()
    await page.fill('#publish [name=text]', 'while away')
    await page.evaluate(publishOnceReconnecting)
    await page.click('#cut')

    const missed = page.locator('#events li.replayed', { hasText: 'while away' })
    await missed.waitFor()
    await publish(page, 'news', 'back again')
    await page.locator('#events li:not(.replayed)', { hasText: 'back again' }).waitFor()
    const shown = Number(await page.locator('#replayed').textContent())
    expect(shown).toBeGreaterThanOrEqual(1)
    expect(await page.locator('#events li.replayed').count()).toBe(shown)
    expect(await missed.count()).toBe(1)
    expect(await page.locator('#events li', { hasText: 'before the cut' }).count()).toBe(1)
    expect(await page.evaluate('window.eventSourcesMade')).toBe(1)
  })

  test('says why a topic is refused', async () => {
    const page = await openPage()
    await page.fill('#subscribe [name=topic]', 'a..b')
    await page.click('#subscribe button')
    await page.locator('#problem', { hasText: '"a..b" has an empty segment' }).waitFor()
    expect(await page.locator('#subscriptions li').count()).toBe(2)
  })
})

describe('the server of the demo', () => {
  test('takes the next free port when one is taken', async () => {
    const holder = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void holder.close())
    await once(holder, 'listening')
    const { port } = holder.address() as AddressInfo
    const { url } = await startDemo(['--port', String(port)])
    expect(Number(new URL(url).port)).toBeGreaterThan(port)
    expect(await (await fetch(url)).text()).toContain('<title>Asbru demo</title>')
  })

  test.each(['SIGTERM', 'SIGINT'] as const)(
    'ends at %s with exit code 0, whoever listens',
    async (signal) => {
      const { asbru, url } = await startDemo()
      const { id } = await post(`${url}v1/clients`, { topics: ['news'] })
      const stream = await fetch(`${url}events?id=${id}`)
      asbru.signal(signal)
      expect(await stream.text()).toContain('{"closing":{"reason":"shutdown"}}')
      expect(await asbru.ended).toMatchObject({ code: 0, stderr: '' })
    },
  )

  test('lets no page of another origin or host in', async () => {
    const { url } = await startDemo()
    for (const path of ['', 'events', 'v1/status', 'demo/clients/x/cut']) {
      expect(await statusOf(url + path, { origin: 'https://evil.example' })).toBe(403)
      expect(await statusOf(url + path, { host: 'evil.example' })).toBe(403)
    }
    expect(await statusOf(`${url}v1/status`, { origin: new URL(url).origin })).toBe(200)
  })
})

/** Runs in the page: its own EventSource, counted. */
const countEventSources = `
  window.eventSourcesMade = 0
  window.EventSource = class extends EventSource {
    constructor(...args) {
      super(...args)
      window.eventSourcesMade++
    }
  }`

/** Runs in the page, so that it publishes before the connection can be back. */
const publishOnceReconnecting = `
  new MutationObserver((_, observer) => {
    if (document.getElementById('state').dataset.state !== 'reconnecting') return
    observer.disconnect()
    document.querySelector('#publish button').click()
  }).observe(document.getElementById('state'), { attributes: true })`

async function startDemo(args = ['--port', '0']): Promise<{ asbru: Asbru; url: string }> {
  const asbru = new Asbru(['demo', ...args])
  const [, url] = await asbru.says('stdout', /^Asbru demo: (http:\/\/127\.0\.0\.1:\d+\/)\n/)
  return { asbru, url: url! }
}

async function openPage(): Promise<Page> {
  const { url } = await startDemo()
  const browser = await launchChromium()
  onTestFinished(() => browser.close())
  const page = await browser.newPage()
  await page.addInitScript(countEventSources)
  await page.goto(url)
  await page.locator('#state[data-state=connected]').waitFor()
  await page.locator('#subscriptions li').nth(1).waitFor()
  return page
}

async function publish(page: Page, topic: string, text: string): Promise<void> {
  await page.fill('#publish [name=topic]', topic)
  await page.fill('#publish [name=text]', text)
  await page.click('#publish button')
}

/** With headers that `fetch` does not let through. */
async function statusOf(url: string, headers: Record<string, string>): Promise<number> {
  const asked = request(url, { headers }).end()
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  response.resume()
  return response.statusCode!
}
