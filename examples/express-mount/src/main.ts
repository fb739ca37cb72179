import { problemResponse, Streamer } from '@asbru/core'
import { memoryDriver } from '@asbru/driver-memory'
import express, { type NextFunction, type Request, type Response } from 'express'
import type { AddressInfo } from 'node:net'

const streamer = new Streamer({ driver: memoryDriver(), clientTtlMs: 30_000 })
const app = express()

app.post('/login', async (_request, response) => {
  const client = await streamer.newClient({ topics: ['time'] })
  response.json({ events: `/events?id=${client.id}` })
})

app.all('/events', streamer.listener)

app.post('/messages/:topic', express.text({ type: '*/*' }), async (request, response) => {
  const { id } = await streamer.publish(request.params.topic, request.body as string)
  response.status(202).json({ id })
})

// Express 5 hands over what an async handler rejects with.
app.use(async (error: unknown, _request: Request, response: Response, _next: NextFunction) => {
  const problem = problemResponse(error)
  response
    .status(problem.status)
    .type('application/problem+json')
    .send(await problem.text())
})

const server = app.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
})

process.once('SIGTERM', () => {
  void streamer.close().then(() => server.close())
})
