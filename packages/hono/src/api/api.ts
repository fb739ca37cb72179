import {
  type Logger,
  problemResponse,
  silentLogger,
  type Streamer,
  StreamerError,
} from '@asbru/core'
import { OpenAPIHono } from '@hono/zod-openapi'
import { withHeadersBefore } from '../headers-before.ts'
import { addClientRoutes } from './client-routes.ts'
import { addMessageRoutes } from './message-routes.ts'
import { problemOf, refuseInvalid } from './problems.ts'
import { addStatusRoutes } from './status-routes.ts'
import { addSubscriptionRoutes } from './subscription-routes.ts'

/** What {@link api} may be told. */
export interface ApiOptions {
  /** Bound on JSON bodies, such as a batch of messages, in bytes. @default 16_777_216 */
  maxBodyBytes?: number
  /** Told of faults that are nobody's request. @default silent */
  logger?: Logger
}

/**
 * The HTTP API of `streamer`, with paths relative to where it is mounted; it answers whatever is asked below
 * that. It asks for no credentials: put it behind a middleware that does. Its `getOpenAPI31Document()` describes it.
 *
 * @example
 * app.use('/v1/*', bearerAuth({ token }))
 * app.route('/v1', api(streamer))
 */
export function api(
  streamer: Streamer,
  { maxBodyBytes = 16 * 1024 * 1024, logger = silentLogger }: ApiOptions = {},
): OpenAPIHono {
  const app = new OpenAPIHono({ defaultHook: refuseInvalid })
  app.onError((error, c) => {
    const problem = problemOf(error)
    if (problem.status === 500)
      logger.error({ err: error }, 'could not answer a request to the API')
    return withHeadersBefore(c, problem)
  })
  addClientRoutes(app, streamer, maxBodyBytes)
  addSubscriptionRoutes(app, streamer, maxBodyBytes)
  addMessageRoutes(app, streamer, maxBodyBytes)
  addStatusRoutes(app, streamer)
  refuseOtherMethods(app)
  app.all('*', () => {
    throw new StreamerError('NOT_FOUND', 'The API has nothing at this path.')
  })
  return app
}

/** Answers a known path that is asked with a method that it does not have. */
function refuseOtherMethods(app: OpenAPIHono): void {
  const methods = new Map<string, string[]>()
  for (const definition of app.openAPIRegistry.definitions) {
    if (definition.type !== 'route') continue
    const path = definition.route.path.replaceAll(/\{(\w+)\}/g, ':$1')
    const known = methods.get(path) ?? []
    const method = definition.route.method.toUpperCase()
    methods.set(path, [...known, ...(method === 'GET' ? ['GET', 'HEAD'] : [method])])
  }
  for (const [path, known] of methods) {
    const allow = known.join(', ')
    app.all(path, (c) => {
      const detail = `This path takes ${allow}, not ${c.req.method}.`
      const problem = problemResponse(new StreamerError('METHOD_NOT_ALLOWED', detail), { allow })
      return withHeadersBefore(c, problem)
    })
  }
}
