import { serve } from '@hono/node-server'
import { app, streamer } from './app.ts'

const port = Number(process.env['PORT'] ?? 3000)
const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port }, (address) => {
  console.log(`http://127.0.0.1:${address.port}/`)
})

process.once('SIGTERM', () => {
  void streamer.close().then(() => server.close())
})
