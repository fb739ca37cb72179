import type { Streamer } from '@asbru/core'
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { limitJson } from './limit-body.ts'
import { problems } from './problems.ts'

const params = z.object({ id: z.string() })

const subscription = params.extend({
  topic: z.string().openapi({ description: 'A topic or a pattern.', example: 'pets.*' }),
})

const change = z.strictObject({
  subscribe: z.array(z.string()).default([]),
  unsubscribe: z.array(z.string()).default([]),
})

/** Adds the routes that change the subscriptions of a client. */
export function addSubscriptionRoutes(
  app: OpenAPIHono,
  streamer: Streamer,
  maxBodyBytes: number,
): void {
  const patch = createRoute({
    method: 'patch',
    path: '/clients/{id}/subscriptions',
    operationId: 'changeSubscriptions',
    summary: 'Change several subscriptions at once: `unsubscribe` first',
    middleware: limitJson(maxBodyBytes),
    request: { params, body: { content: { 'application/json': { schema: change } } } },
    responses: {
      200: {
        description: 'All topics and patterns that the client has then.',
        content: { 'application/json': { schema: z.object({ topics: z.array(z.string()) }) } },
      },
      ...problems(400, 403, 404, 413, 422, 503),
    },
  })
  app.openapi(patch, async (c) => {
    const topics = await streamer.changeSubscriptions(c.req.valid('param').id, c.req.valid('json'))
    return c.json({ topics }, 200)
  })

  const put = createRoute({
    method: 'put',
    path: '/clients/{id}/subscriptions/{topic}',
    operationId: 'subscribe',
    summary: 'Give a client a topic or pattern',
    request: { params: subscription },
    responses: { 204: { description: 'The client has it.' }, ...problems(403, 404, 422, 503) },
  })
  app.openapi(put, async (c) => {
    const { id, topic } = c.req.valid('param')
    await streamer.subscribe(id, topic)
    return c.body(null, 204)
  })

  const remove = createRoute({
    method: 'delete',
    path: '/clients/{id}/subscriptions/{topic}',
    operationId: 'unsubscribe',
    summary: 'Take a topic or pattern from a client',
    request: { params: subscription },
    responses: { 204: { description: 'The client does not have it.' }, ...problems(404, 422, 503) },
  })
  app.openapi(remove, async (c) => {
    const { id, topic } = c.req.valid('param')
    await streamer.unsubscribe(id, topic)
    return c.body(null, 204)
  })
}
