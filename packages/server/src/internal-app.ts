import { type Logger, problemResponse, type Streamer, StreamerError } from '@asbru/core'
import { api } from '@asbru/hono'
import { Hono } from 'hono'
import type { Registry } from 'prom-client'
import packageJson from '../package.json' with { type: 'json' }
import { refuseForeignPages, requireToken } from './access.ts'
import { metricsOf } from './metrics.ts'

/** What the internal listener stands on. */
export interface InternalAppOptions {
  readonly streamer: Streamer
  readonly logger: Logger
  /** Asked for on every path but those of health. @default none: only loopback is let in */
  readonly apiToken?: string | undefined
  /** What renders metrics for Prometheus. @default only those of this process */
  readonly renderMetrics?: ((metrics: Registry) => () => Promise<string>) | undefined
}

/** What the internal listener serves: the HTTP API, its description, metrics and health. */
export function internalApp({
  streamer,
  logger,
  apiToken,
  renderMetrics = (metrics) => () => metrics.metrics(),
}: InternalAppOptions): Hono {
  const app = new Hono()
  const v1 = api(streamer)
  if (apiToken !== undefined) {
    v1.openAPIRegistry.registerComponent('securitySchemes', 'token', {
      type: 'http',
      scheme: 'bearer',
    })
  }
  const metrics = metricsOf(streamer)
  const render = renderMetrics(metrics)
  app.onError((error) => {
    if (!(error instanceof StreamerError))
      logger.error({ err: error }, 'could not answer a request')
    return problemResponse(error)
  })
  app.notFound(() =>
    problemResponse(new StreamerError('NOT_FOUND', 'There is nothing at this path.')),
  )

  app.get('/healthz', (c) => c.json({ ok: true }))
  app.get('/readyz', async (c) => {
    const { driver, closing, ready: isInTouch } = await streamer.status()
    const ready = driver.state === 'connected' && isInTouch && !closing
    return c.json({ ready, driver, closing }, ready ? 200 : 503)
  })

  app.use(apiToken === undefined ? refuseForeignPages : requireToken(apiToken))
  app.get('/metrics', async (c) =>
    c.body(await render(), 200, { 'content-type': metrics.contentType }),
  )
  app.get('/openapi.json', (c) =>
    c.json(
      v1.getOpenAPI31Document({
        openapi: '3.1.0',
        info: {
          title: 'Asbru',
          version: packageJson.version,
          description: 'Clients, subscriptions and messages of an Asbru relay.',
          license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
        },
        servers: [{ url: '/v1' }],
        ...(apiToken !== undefined && { security: [{ token: [] }] }),
      }),
    ),
  )
  app.route('/v1', v1)
  return app
}
