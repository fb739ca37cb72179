import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Page } from 'playwright-core'
import { onTestFinished } from 'vitest'
import { launchChromium } from '../../support/chromium.ts'
import { until } from './until.ts'

const HTML = `<!doctype html><link rel="icon" href="data:,"><script>
  const got = []
  let source
  function listen(url, topic) {
    source = new EventSource(url)
    source.addEventListener('message', ({ data }) => got.push(data))
    source.addEventListener(topic, ({ type, data }) => got.push(type + ' ' + data))
  }
</script>`
const CLOSED = 2

/** A page in Chromium with a native EventSource. */
export interface ListeningPage {
  /** What `cors.origins` must name. */
  readonly origin: string
  /** Connects, and listens to info messages and one topic. */
  listen(url: string, topic: string): Promise<void>
  /** Resolves once an event came that the test takes: `topic data`, or the JSON of an info message. */
  untilGot(what: string, isIt: (event: string) => boolean): Promise<void>
  /** Whether the EventSource has given up. */
  hasGivenUp(): Promise<boolean>
}

/** Opens the page in a browser of its own; both end with the test. */
export async function openListeningPage(): Promise<ListeningPage> {
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html').end(HTML)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const browser = await launchChromium()
  onTestFinished(async () => {
    await browser.close()
    server.close()
  })
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const page: Page = await browser.newPage()
  await page.goto(origin)
  return {
    origin,
    listen: (url, topic) => page.evaluate(`listen(${JSON.stringify(url)}, '${topic}')`),
    untilGot: (what, isIt) =>
      until(`the page gets ${what}`, 30_000, async () => {
        return (await page.evaluate<string[]>('got')).some(isIt)
      }),
    hasGivenUp: async () => (await page.evaluate<number>('source.readyState')) === CLOSED,
  }
}
