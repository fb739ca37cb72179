import type { ServerResponse } from 'node:http'
import type { EventAcceptor, EventRequest } from './event-endpoint.ts'
import { EventStream } from './event-stream.ts'
import { addHeaders } from './node-headers.ts'
import type { NodeRequest, NodeResponse } from './node-sinks.ts'

/** Listens to `request` events of `node:http`, `node:https` and `node:http2`, and mounts in Express. */
export type NodeListener = (request: NodeRequest, response: NodeResponse) => void

/** How requests are to be understood. */
export interface NodeListenerOptions {
  /** Takes the client's id from a cookie or a session, instead of the query's `id`. */
  clientId?: (request: NodeRequest) => string | undefined | Promise<string | undefined>
}

/** Serves the event stream of `streamer` to servers of Node's own kinds. */
export function nodeListener(
  streamer: EventAcceptor,
  { clientId }: NodeListenerOptions = {},
): NodeListener {
  return (request, response) => {
    respond(request, response).catch((error: unknown) => response.destroy(error as Error))
  }

  async function respond(request: NodeRequest, response: NodeResponse): Promise<void> {
    const answer = await streamer.accept(
      eventRequestOf(request),
      clientId === undefined ? {} : { clientId: () => clientId(request) },
    )
    if (answer instanceof EventStream) {
      answer.toNode(request, response)
      return
    }
    const body = await answer.text()
    addHeaders(response as ServerResponse, answer.headers)
    response.statusCode = answer.status
    response.end(body)
  }
}

function eventRequestOf(request: NodeRequest): EventRequest {
  const url = request.url ?? '/'
  return {
    method: request.method ?? 'GET',
    url,
    headers: { get: (name) => headerOf(request.rawHeaders, name) },
    toRequest: () => {
      const headers = new Headers()
      const { rawHeaders } = request
      for (let i = 0; i < rawHeaders.length; i += 2) {
        if (!rawHeaders[i]!.startsWith(':')) headers.append(rawHeaders[i]!, rawHeaders[i + 1]!)
      }
      const host = headerOf(rawHeaders, ':authority') ?? headers.get('host') ?? 'localhost'
      return new Request(URL.parse(url, `http://${host}`) ?? 'http://localhost/', { headers })
    },
  }
}

/** Reads the headers as they came: `request.headers` would make an object that lives as long as the stream. */
function headerOf(rawHeaders: readonly string[], name: string): string | null {
  const values: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]!.toLowerCase() === name) values.push(rawHeaders[i + 1]!)
  }
  return values.length === 0 ? null : values.join(', ')
}
