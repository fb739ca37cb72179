import { Streamer, StreamerError, problemResponse } from '@asbru/core'
import { memoryDriver } from '@asbru/driver-memory'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

/**
 * Addresses as namespaces: `GET /subscribe/pets` gets all that is posted to `/publish/pets`,
 * `/publish/pets/dogs` and below, but nothing of `/publish/petstore`.
 */
const streamer = new Streamer({
  driver: memoryDriver(),
  anonymous: { topics: ['pets.**', 'petstore.**'] },
  eventNames: 'publisher',
})

const server = createServer((request, response) => {
  const [, verb, path = ''] = /^\/(subscribe|publish)\/([^?]*)/.exec(request.url ?? '') ?? []
  const topic = path.split('/').filter(Boolean).join('.')
  if (verb === 'subscribe') {
    // A stream without a client id makes its own client, with the topics that it asks for.
    const query = new URLSearchParams({ topic: `${topic}.**` })
    request.url = `/events?${query.toString()}`
    streamer.listener(request, response)
  } else if (verb === 'publish' && request.method === 'POST') {
    void publish(topic, request, response)
  } else {
    response.writeHead(404).end()
  }
})

server.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
})

process.once('SIGTERM', () => {
  void streamer.close().then(() => server.close())
})

/** `curl -d Corgi 'localhost:3000/publish/pets/dogs?event=new-dog'` */
async function publish(
  topic: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const event = new URLSearchParams(request.url?.split('?')[1]).get('event')
    await streamer.publish(topic, await text(request), event === null ? {} : { event })
    response.writeHead(202).end()
  } catch (error) {
    const problem = problemResponse(error)
    if (!(error instanceof StreamerError)) console.error(error)
    response.writeHead(problem.status, Object.fromEntries(problem.headers))
    response.end(await problem.text())
  }
}
