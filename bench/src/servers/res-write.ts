import { createServer, type ServerResponse } from 'node:http'
import { listening } from '../listening.ts'
import type { Contestant } from './contestant.ts'

/** What one writes by hand: the event as one string, and `res.write` of it for everyone. */
export async function start(): Promise<Contestant> {
  const responses = new Set<ServerResponse>()
  let sent = 0
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
    response.flushHeaders()
    responses.add(response)
    response.on('close', () => responses.delete(response))
  })
  return {
    port: await listening(server),
    path: '/events',
    receivers: () => responses.size,
    publish(topic, payload) {
      const event = `id: ${++sent}\nevent: ${topic}\ndata: ${payload.toString()}\n\n`
      for (const response of responses) response.write(event)
    },
  }
}
