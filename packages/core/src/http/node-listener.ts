import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
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
    headers: { get: (name) => headerOf(request.headers, name) },
    toRequest: () => {
      const host = request.headers[':authority'] ?? request.headers.host ?? 'localhost'
      const headers = new Headers()
      for (const name of Object.keys(request.headers)) {
        if (!name.startsWith(':')) headers.set(name, headerOf(request.headers, name)!)
      }
      return new Request(URL.parse(url, `http://${String(host)}`) ?? 'http://localhost/', {
        headers,
      })
    },
  }
}

function headerOf(headers: IncomingHttpHeaders, name: string): string | null {
  const value = headers[name]
  return Array.isArray(value) ? value.join(', ') : (value ?? null)
}
