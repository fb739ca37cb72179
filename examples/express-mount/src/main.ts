import { Streamer } from '@asbru/core'
import { memoryDriver } from '@asbru/driver-memory'
import express from 'express'
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

const server = app.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
})

process.once('SIGTERM', () => {
  void streamer.close().then(() => server.close())
})
