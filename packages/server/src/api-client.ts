import { Fault } from './fault.ts'

/** Where the HTTP API is, and what it asks for. */
export interface ApiClientOptions {
  /** Such as `http://127.0.0.1:7070/v1`. */
  readonly api: string
  readonly token?: string | undefined
}

/** A request to the HTTP API. */
interface ApiRequest {
  readonly method?: 'GET' | 'POST' | 'DELETE'
  /** Segments below `/v1`, encoded here. */
  readonly path: readonly string[]
  /** Of any text: it travels as UTF-8. */
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as it is, or as JSON. */
  readonly body?: Uint8Array<ArrayBuffer> | object
}

/** Asks the HTTP API of a relay, and resolves with the JSON of its answer. */
export type ApiClient = (request: ApiRequest) => Promise<unknown>

/**
 * Makes an {@link ApiClient}.
 * @throws {Fault} from each request that is refused, with the detail of the problem, or that nobody answers
 */
export function apiClient({ api, token }: ApiClientOptions): ApiClient {
  return async ({ method = 'GET', path, headers, body }) => {
    const url = `${api.replace(/\/+$/, '')}/${path.map(encodeURIComponent).join('/')}`
    const raw = body === undefined || body instanceof Uint8Array
    const response = await reach(url, {
      method,
      headers: {
        ...asUtf8(headers),
        ...(!raw && { 'content-type': 'application/json' }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      body: raw ? (body ?? null) : JSON.stringify(body),
    })
    if (!response.ok) throw await refusalOf(response)
    const text = await response.text()
    return text === '' ? undefined : JSON.parse(text)
  }
}

/**
 * Fetches.
 * @throws {Fault} that says why there was no answer; an abort is thrown as it is
 */
export async function reach(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init)
  } catch (error) {
    if (init.signal?.aborted === true) throw error
    const { cause } = error as Error
    const reason = cause instanceof Error && cause.message !== '' ? cause : (error as Error)
    throw new Fault(`cannot reach ${withoutQuery(url)}: ${reason.message}`, { cause: error })
  }
}

/** What a refusal says: the detail of its problem, or its status if it is not a relay that speaks. */
export async function refusalOf(response: Response): Promise<Fault> {
  const text = await response.text()
  try {
    const { detail, code } = JSON.parse(text) as { detail?: unknown; code?: unknown }
    if (typeof detail === 'string') return new Fault(`${detail} (${String(code)})`)
  } catch {
    // A proxy's page, or nothing at all.
  }
  return new Fault(`${withoutQuery(response.url)} answered ${response.status}`)
}

/** `fetch` takes the bytes of headers as Latin-1. */
function asUtf8(headers: Readonly<Record<string, string>> = {}): Record<string, string> {
  const entries = Object.entries(headers).map(([name, text]) => [
    name,
    Buffer.from(text).toString('latin1'),
  ])
  return Object.fromEntries(entries) as Record<string, string>
}

function withoutQuery(url: string): string {
  return url.replace(/[?#].*$/s, '')
}
