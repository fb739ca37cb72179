import type { Streamer } from '@asbru/core'
import { api, type ApiOptions } from '@asbru/hono'
import { Hono } from 'hono'
import type { Runtime } from './runtimes.ts'

/** What a route answered. */
interface ApiAnswer {
  readonly status: number
  readonly headers: Headers
  /** Parsed, if it is JSON of any kind. */
  readonly body: unknown
}

/** Asks the API: objects and arrays go as JSON, text and bytes as they are. */
export type ApiCaller = (
  method: string,
  path: string,
  body?: object | string | Uint8Array<ArrayBuffer> | ReadableStream,
  headers?: Record<string, string>,
) => Promise<ApiAnswer>

/** Mounts the API of a Streamer at `/v1`. */
export async function mountApi(
  runtime: Runtime,
  streamer: Streamer,
  options?: ApiOptions,
): Promise<ApiCaller> {
  const app = await runtime.mount(new Hono().route('/v1', api(streamer, options)))
  return async (method, path, body, headers = {}) => {
    const response = await app.ask(`/v1${path}`, {
      method,
      ...(body !== undefined && initOf(body, headers)),
      ...(body === undefined && { headers }),
    })
    const isJson = /json/.test(response.headers.get('content-type') ?? '')
    return {
      status: response.status,
      headers: response.headers,
      body: isJson ? await response.json() : await response.text(),
    }
  }
}

function initOf(
  body: object | string | Uint8Array<ArrayBuffer> | ReadableStream,
  headers: Record<string, string>,
): RequestInit {
  if (body instanceof ReadableStream) return { body, headers, duplex: 'half' }
  if (typeof body === 'string' || body instanceof Uint8Array) return { body, headers }
  return {
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
  }
}
