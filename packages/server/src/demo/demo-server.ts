import { readFileSync } from 'node:fs'
import type { Server } from 'node:http'
import { type Logger, problemResponse, Streamer, StreamerError } from '@asbru/core'
import { memoryDriver } from '@asbru/driver-memory'
import { api, events } from '@asbru/hono'
import { createAdaptorServer, type HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import { refuseForeignPages } from '../access.ts'
import { Fault } from '../fault.ts'
import { closeServer, listen } from '../listening.ts'
import { Sockets } from './sockets.ts'

const HOST = '127.0.0.1'
const LAST_PORT = 65_535
/** While a cut connection is away, two messages or more are missed. */
const TICK_MS = 1_000
const RETRY_MS = 3_000
const DRAIN_MS = 100

const page = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/demo.css': ['demo.css', 'text/css; charset=utf-8'],
  '/demo.js': ['demo.js', 'text/javascript; charset=utf-8'],
} as const

/** A demo that serves. */
export interface Demo {
  /** Where its page is. */
  readonly url: string
  close(): Promise<void>
}

/** Serves the page, the event stream and the HTTP API on one listener, on `port` or the next that is free. */
export async function startDemo(port: number, logger: Logger): Promise<Demo> {
  const streamer = new Streamer({
    driver: memoryDriver(),
    retryMs: RETRY_MS,
    drainMs: DRAIN_MS,
    logger,
  })
  await streamer.start()
  const app = demoApp(streamer)
  const { server, origin } = await listenFrom(port, () => createAdaptorServer(app) as Server)
  const stopTicker = startTicker(streamer, logger)
  return {
    url: `${origin}/`,
    async close() {
      stopTicker()
      await streamer.close()
      await closeServer(server)
    },
  }
}

function demoApp(streamer: Streamer): Hono<{ Bindings: HttpBindings }> {
  const app = new Hono<{ Bindings: HttpBindings }>()
  const sockets = new Sockets()
  app.onError((error) => problemResponse(error))
  app.notFound(() =>
    problemResponse(new StreamerError('NOT_FOUND', 'There is nothing at this path.')),
  )
  app.use(refuseForeignPages)
  for (const [path, [file, type]] of Object.entries(page)) {
    const content = readFileSync(new URL(`../../demo/${file}`, import.meta.url), 'utf8')
    app.get(path, (c) =>
      c.body(content, 200, {
        'content-type': type,
        'cache-control': 'no-cache',
        'content-security-policy': "default-src 'self'; img-src 'self' data:",
      }),
    )
  }
  app.use('/events', sockets.track)
  app.all('/events', events(streamer))
  app.route('/v1', api(streamer))
  app.post('/demo/clients/:id/cut', (c) => c.json({ cut: sockets.cut(c.req.param('id')) }))
  return app
}

/** Publishes the time on `ticker`, so that something is missed while a connection is cut. */
function startTicker(streamer: Streamer, logger: Logger): () => void {
  let count = 0
  const timer = setInterval(() => {
    streamer
      .publish('ticker', { text: `tick ${++count}`, at: Date.now() })
      .catch((error: unknown) => logger.error({ err: error }, 'could not publish a tick'))
  }, TICK_MS)
  return () => clearInterval(timer)
}

async function listenFrom(
  first: number,
  makeServer: () => Server,
): Promise<{ server: Server; origin: string }> {
  for (let port = first; ; port++) {
    const server = makeServer()
    try {
      return { server, origin: await listen(server, { host: HOST, port, flag: '--port' }) }
    } catch (error) {
      if (!isTaken(error) || port >= LAST_PORT) throw error
    }
  }
}

function isTaken(error: unknown): boolean {
  return error instanceof Fault && (error.cause as NodeJS.ErrnoException).code === 'EADDRINUSE'
}
