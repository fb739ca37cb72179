import { once } from 'node:events'
import type { Server } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import type { Env, Hono } from 'hono'
import { onTestFinished } from 'vitest'

/** An app that can be asked, until the end of the test. */
export interface MountedApp {
  ask(path: string, init?: RequestInit): Promise<Response>
}

/** A place in which a Hono app runs. */
export interface Runtime {
  readonly name: string
  readonly mount: <E extends Env>(app: Hono<E>) => Promise<MountedApp>
}

/** Both ways to a stream: past the response to the socket, and as the body of a `Response`. */
export const runtimes: readonly Runtime[] = [
  {
    name: '@hono/node-server',
    async mount(app) {
      const { origin } = await serve(app)
      return { ask: (path, init) => fetch(origin + path, init) }
    },
  },
  {
    name: 'a fetch runtime',
    async mount(app) {
      return { ask: async (path, init) => app.request(path, init) }
    },
  },
]

/** A server on the loopback interface. */
export interface ServedApp {
  readonly server: Server
  readonly port: number
  readonly origin: string
}

/** Serves an app by `@hono/node-server`, with its default options, over HTTP/1.1 or over HTTP/2 without TLS. */
export async function serve<E extends Env>(
  app: Hono<E>,
  { http2 = false }: { http2?: boolean } = {},
): Promise<ServedApp> {
  const { Request, Response } = globalThis
  const server = createAdaptorServer(
    http2 ? { fetch: app.fetch, createServer: createHttp2Server } : { fetch: app.fetch },
  ) as Server
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    // HTTP/2 has none; its clients close their sessions.
    server.closeAllConnections?.()
    // `@hono/node-server` put classes of its own in their places.
    Object.defineProperty(globalThis, 'Request', { value: Request })
    Object.defineProperty(globalThis, 'Response', { value: Response })
  })
  const { port } = server.address() as AddressInfo
  return { server, port, origin: `http://127.0.0.1:${port}` }
}
