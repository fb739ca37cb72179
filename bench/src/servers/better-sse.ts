import { createServer } from 'node:http'
import { createChannel, createSession } from 'better-sse'
import { listening } from '../listening.ts'
import type { Contestant } from './contestant.ts'

/** better-sse as its documentation shows it, spared the quoting of strings as JSON. */
export async function start(): Promise<Contestant> {
  const channel = createChannel()
  let sent = 0
  const server = createServer((request, response) => {
    void createSession(request, response, { serializer: String }).then((session) =>
      channel.register(session),
    )
  })
  return {
    port: await listening(server),
    path: '/events',
    receivers: () => channel.sessionCount,
    publish(topic, payload) {
      channel.broadcast(payload.toString(), topic, { eventId: String(++sent) })
    },
  }
}
