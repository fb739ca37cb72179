import { maskId, type Streamer, StreamerError, topicPatternOf } from '@asbru/core'
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { clientAnswer, clientSchema, newClientAnswer, newClientSchema } from './client-schemas.ts'
import { limitJson } from './limit-body.ts'
import { problems } from './problems.ts'

const MAX_TIMER_MS = 2 ** 31 - 1

const params = z.object({ id: z.string() })

const newClient = z.strictObject({
  id: z
    .string()
    .regex(/^[A-Za-z0-9_.~-]{1,128}$/)
    .optional()
    .openapi({ description: 'A random UUID if it is not given.' }),
  topics: z.array(z.string()).optional(),
  ttlMs: z.int().min(0).max(MAX_TIMER_MS).optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
})

const query = z.strictObject({
  topic: z
    .string()
    .optional()
    .openapi({ description: 'Only clients with exactly this topic or pattern.' }),
  connected: z.enum(['true', 'false']).optional(),
  after: z.string().optional().openapi({ description: 'The `next` of the page before.' }),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
})

/** Adds the routes that make, show, list and remove clients. */
export function addClientRoutes(app: OpenAPIHono, streamer: Streamer, maxBodyBytes: number): void {
  const create = createRoute({
    method: 'post',
    path: '/clients',
    operationId: 'newClient',
    summary: 'Make a client',
    middleware: limitJson(maxBodyBytes),
    request: { body: { content: { 'application/json': { schema: newClient } } } },
    responses: {
      201: {
        description: 'The client.',
        content: { 'application/json': { schema: newClientSchema } },
      },
      ...problems(400, 403, 409, 413, 422, 503),
    },
  })
  app.openapi(create, async (c) => {
    const client = await streamer.newClient(defined(c.req.valid('json')))
    return c.json(newClientAnswer(client), 201)
  })

  const list = createRoute({
    method: 'get',
    path: '/clients',
    operationId: 'listClients',
    summary: 'List clients, a page at a time',
    request: { query },
    responses: {
      200: {
        description: 'A page; `next` is there when there is more.',
        content: {
          'application/json': {
            schema: z.object({ clients: z.array(clientSchema), next: z.string().optional() }),
          },
        },
      },
      ...problems(400, 422, 503),
    },
  })
  app.openapi(list, async (c) => {
    const { topic, connected, ...page } = c.req.valid('query')
    const { items, ...next } = await streamer.clients(
      defined({
        ...page,
        topic: topic === undefined ? undefined : topicPatternOf(topic),
        connected: connected === undefined ? undefined : connected === 'true',
      }),
    )
    const clients = items.map((client) => clientAnswer(client, maskId(client.id)))
    return c.json({ clients, ...next }, 200)
  })

  const show = createRoute({
    method: 'get',
    path: '/clients/{id}',
    operationId: 'getClient',
    summary: 'Show a client',
    request: { params },
    responses: {
      200: {
        description: 'The client as it is now.',
        content: { 'application/json': { schema: clientSchema } },
      },
      ...problems(404, 503),
    },
  })
  app.openapi(show, async (c) => {
    const { id } = c.req.valid('param')
    const client = await streamer.getClient(id)
    return c.json(clientAnswer(client ?? notFound(id)), 200)
  })

  const remove = createRoute({
    method: 'delete',
    path: '/clients/{id}',
    operationId: 'removeClient',
    summary: 'Remove a client and close its connections, on every replica',
    request: { params },
    responses: { 204: { description: 'It is removed.' }, ...problems(404, 503) },
  })
  app.openapi(remove, async (c) => {
    const { id } = c.req.valid('param')
    if (!(await streamer.removeClient(id))) notFound(id)
    return c.body(null, 204)
  })
}

/** Without the fields that are `undefined`, which stand for fields that were not given. */
function defined<T extends object>(values: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> }
}

function notFound(id: string): never {
  throw new StreamerError('CLIENT_NOT_FOUND', `There is no client ${maskId(id)}.`)
}
