import { api } from '@asbru/hono'
import { OpenAPIHono } from '@hono/zod-openapi'
import { expect, test } from 'vitest'
import { newStreamer } from './support/new-streamer.ts'

const about = { openapi: '3.1.0', info: { title: 'Asbru', version: '1' } }

test('describes every route, with its refusals', () => {
  const { paths } = api(newStreamer()).getOpenAPI31Document(about)
  const described = Object.entries(paths ?? {}).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => {
      const { responses } = operation as { responses: object }
      return `${method.toUpperCase()} ${path}: ${Object.keys(responses).join(' ')}`
    }),
  )
  expect(described.toSorted()).toEqual([
    'DELETE /clients/{id}/subscriptions/{topic}: 204 404 422 503',
    'DELETE /clients/{id}: 204 404 503',
    'GET /clients/{id}: 200 404 503',
    'GET /clients: 200 400 422 503',
    'GET /status: 200',
    'GET /topics: 200 400 503',
    'PATCH /clients/{id}/subscriptions: 200 400 403 404 413 422 503',
    'POST /clients/{id}/messages: 202 400 404 413 422 503',
    'POST /clients: 201 400 403 409 413 422 503',
    'POST /messages: 202 207 400 413 503',
    'POST /topics/{topic}/messages: 202 400 413 422 503',
    'PUT /clients/{id}/subscriptions/{topic}: 204 403 404 422 503',
  ])
})

test('describes the same routes where they are mounted', () => {
  const app = new OpenAPIHono()
  app.route('/v1', api(newStreamer()))
  expect(app.getOpenAPI31Document(about).paths).toHaveProperty(['/v1/clients/{id}', 'get'])
})

test('describes input by the schemas that check it', () => {
  const { paths, components } = api(newStreamer()).getOpenAPI31Document(about)
  expect(paths!['/clients']!.post!.requestBody).toMatchObject({
    content: {
      'application/json': {
        schema: {
          additionalProperties: false,
          properties: {
            id: { type: 'string', pattern: '^[A-Za-z0-9_.~-]{1,128}$' },
            topics: { type: 'array', items: { type: 'string' } },
            ttlMs: { type: 'integer', minimum: 0, maximum: 2 ** 31 - 1 },
          },
        },
      },
    },
  })
  expect(paths!['/topics/{topic}/messages']!.post!.parameters).toMatchObject([
    { in: 'path', name: 'topic', required: true },
    { in: 'header', name: 'Asbru-Event', required: false },
    { in: 'header', name: 'Asbru-Id', required: false },
  ])
  expect(components!.schemas).toMatchObject({
    Problem: { required: ['code', 'title', 'status', 'detail'] },
    Message: { additionalProperties: false, required: ['data'] },
  })
})
