import { Streamer } from '@asbru/core'
import { memoryDriver } from '@asbru/driver-memory'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const streamer = new Streamer({ driver: memoryDriver() })

// No framework at all: a server of Node's own, and the id of one client that is made at the start.
const client = await streamer.newClient({ topics: ['time'] })

const server = createServer((request, response) => {
  if (request.url?.startsWith('/events')) streamer.listener(request, response)
  else response.writeHead(302, { location: `/events?id=${client.id}` }).end()
})
server.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
})

const clock = setInterval(() => {
  void streamer.publish('time', new Date().toISOString())
}, 1_000)

process.once('SIGTERM', () => {
  clearInterval(clock)
  void streamer.close().then(() => server.close())
})
