import type { Streamer, StreamerStatus } from '@asbru/core'
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { problems } from './problems.ts'

const query = z.strictObject({
  after: z.string().optional().openapi({ description: 'The `next` of the page before.' }),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
})

const status: z.ZodType<StreamerStatus> = z
  .object({
    replica: z.string(),
    driver: z.object({
      name: z.string(),
      state: z.enum(['idle', 'connected', 'reconnecting', 'closed']),
    }),
    closing: z.boolean(),
    ready: z.boolean().openapi({ description: 'Whether any client may come to it.' }),
    replicas: z
      .array(z.object({ replica: z.string(), isFresh: z.boolean() }))
      .readonly()
      .openapi({ description: 'Who shares the clients, this replica included.' }),
    clients: z.int().openapi({ description: 'Connected or not.' }),
    connections: z.int().openapi({ description: 'Those of this replica.' }),
    brokerSubscriptions: z.int(),
    counters: z
      .object({
        messagesIn: z.int(),
        ignoredMessages: z.int(),
        ignoredEventNames: z.int(),
        refusedPayloads: z.int(),
        eventsOut: z.int(),
        slowConsumers: z.int(),
      })
      .openapi({ description: 'Since the start of this replica.' }),
    window: z
      .object({
        messages: z.int(),
        bytes: z.int(),
        maxBytes: z.int(),
        maxMs: z.int(),
        ageMs: z.number(),
      })
      .openapi({ description: 'What is kept for clients that come back.' }),
  })
  .openapi('Status')

/** Adds the routes that list topics and tell how the replica is doing. */
export function addStatusRoutes(app: OpenAPIHono, streamer: Streamer): void {
  const topics = createRoute({
    method: 'get',
    path: '/topics',
    operationId: 'listTopics',
    summary: 'List the topics and patterns that clients have, over all replicas',
    request: { query },
    responses: {
      200: {
        description: 'A page, sorted; `next` is there when there is more.',
        content: {
          'application/json': {
            schema: z.object({
              topics: z.array(z.object({ topic: z.string(), subscribers: z.int() })),
              next: z.string().optional(),
            }),
          },
        },
      },
      ...problems(400, 503),
    },
  })
  app.openapi(topics, async (c) => {
    const { after, limit } = c.req.valid('query')
    const { items, ...next } = await streamer.topics({
      limit,
      ...(after !== undefined && { after }),
    })
    return c.json({ topics: items, ...next }, 200)
  })

  const show = createRoute({
    method: 'get',
    path: '/status',
    operationId: 'status',
    summary: 'Tell how this replica is doing',
    responses: {
      200: {
        description: 'Its driver, clients, connections, counters and window.',
        content: { 'application/json': { schema: status } },
      },
    },
  })
  app.openapi(show, async (c) => c.json(await streamer.status(), 200))
}
