import { Buffer, isUtf8 } from 'node:buffer'
import {
  type PublishItem,
  type PublishOptions,
  type PublishResult,
  type Streamer,
  wireCode,
} from '@asbru/core'
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { limitBody, limitJson } from './limit-body.ts'
import { problems } from './problems.ts'

const headers = z.object({
  'Asbru-Event': z
    .string()
    .optional()
    .openapi({ description: 'Event name in the browser; the topic or pattern if not given.' }),
  'Asbru-Id': z
    .string()
    .optional()
    .openapi({ description: 'Id of the message, for those who deduplicate.' }),
})

const payload = {
  description: 'The payload, as it is, of whatever type.',
  content: { '*/*': { schema: z.string().openapi({ format: 'binary' }) } },
}

const accepted = {
  description: 'The broker has it.',
  content: { 'application/json': { schema: z.object({ id: z.string() }) } },
}

const item = z
  .strictObject({
    topic: z.string().optional(),
    topics: z.array(z.string()).min(1).optional(),
    data: z
      .unknown()
      .refine((value) => value !== undefined, 'Required')
      .openapi({
        description: 'Strings go as they are, any other value as JSON.',
      }),
    event: z.string().optional(),
    id: z.string().optional(),
  })
  .refine(({ topic, topics }) => (topic === undefined) !== (topics === undefined), {
    message: 'Needs either `topic` or `topics`',
  })
  .openapi('Message')

const results = {
  content: {
    'application/json': {
      schema: z.object({
        results: z.array(
          z.union([
            z.object({ id: z.string() }),
            z.object({ error: z.object({ code: z.string(), message: z.string() }) }),
          ]),
        ),
      }),
    },
  },
}

/** Adds the routes that publish to topics and send to clients. */
export function addMessageRoutes(app: OpenAPIHono, streamer: Streamer, maxBodyBytes: number): void {
  const limitPayload = limitBody(streamer.limits.maxPayloadBytes)

  const publish = createRoute({
    method: 'post',
    path: '/topics/{topic}/messages',
    operationId: 'publish',
    summary: 'Publish to all clients that have the topic',
    middleware: limitPayload,
    request: { params: z.object({ topic: z.string() }), headers, body: payload },
    responses: { 202: accepted, ...problems(400, 413, 422, 503) },
  })
  app.openapi(publish, async (c) => {
    const { topic } = c.req.valid('param')
    return c.json(await streamer.publish(topic, await payloadOf(c), optionsOf(c)), 202)
  })

  const send = createRoute({
    method: 'post',
    path: '/clients/{id}/messages',
    operationId: 'send',
    summary: 'Send to one client, wherever it is connected',
    middleware: limitPayload,
    request: { params: z.object({ id: z.string() }), headers, body: payload },
    responses: { 202: accepted, ...problems(400, 404, 413, 422, 503) },
  })
  app.openapi(send, async (c) => {
    const { id } = c.req.valid('param')
    return c.json(await streamer.send(id, await payloadOf(c), optionsOf(c)), 202)
  })

  const publishMany = createRoute({
    method: 'post',
    path: '/messages',
    operationId: 'publishMany',
    summary: 'Publish several messages in their order',
    middleware: limitJson(maxBodyBytes),
    request: {
      body: { required: true, content: { 'application/json': { schema: z.array(item) } } },
    },
    responses: {
      202: { description: 'The broker has all of them.', ...results },
      207: { description: 'The broker does not have all of them.', ...results },
      ...problems(400, 413, 503),
    },
  })
  app.openapi(publishMany, async (c) => {
    // Data are JSON and each has `topic` or `topics`, which the type of the schema does not say.
    const published = await streamer.publish(c.req.valid('json') as PublishItem[])
    const failed = published.some((result) => 'error' in result)
    return c.json({ results: published.map(resultAnswer) }, failed ? 207 : 202)
  })
}

async function payloadOf(c: Context): Promise<Uint8Array> {
  return new Uint8Array(await c.req.arrayBuffer())
}

function optionsOf(c: Context): PublishOptions {
  const event = c.req.header('asbru-event')
  const id = c.req.header('asbru-id')
  return {
    ...(event !== undefined && { event: textOf(event) }),
    ...(id !== undefined && { id: textOf(id) }),
  }
}

/** The text of a header, whose bytes arrive as if they were Latin-1. */
function textOf(value: string): string {
  const bytes = Buffer.from(value, 'latin1')
  return isUtf8(bytes) ? bytes.toString() : value
}

function resultAnswer(
  result: PublishResult,
): { id: string } | { error: { code: string; message: string } } {
  if (!('error' in result)) return result
  const { code, message } = result.error
  return { error: { code: wireCode(code), message } }
}
