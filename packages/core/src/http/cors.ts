import { StreamerError } from '../errors.ts'

/** Which pages of other origins may read what Asbru serves. */
export interface CorsOptions {
  /** Origins such as `https://app.example.com`, or `*` for any. @default [] */
  readonly origins?: readonly string[]
  /** Whether they may send cookies; not together with `*`. @default false */
  readonly credentials?: boolean
}

/**
 * Fills in the defaults.
 * @throws {StreamerError} `INVALID_REQUEST` for `*` with credentials, or an origin that is none
 */
export function checkCors({
  origins = [],
  credentials = false,
}: CorsOptions): Required<CorsOptions> {
  if (credentials && origins.includes('*')) {
    throw new StreamerError(
      'INVALID_REQUEST',
      'The option `cors.origins` has `*` while `cors.credentials` is on: any page could read its visitors’ streams.',
    )
  }
  for (const origin of origins) {
    if (origin !== '*' && originOf(origin) !== origin) {
      throw new StreamerError(
        'INVALID_REQUEST',
        `The option \`cors.origins\` has ${JSON.stringify(origin)}, which is not an origin such as https://app.example.com.`,
      )
    }
  }
  return { origins, credentials }
}

/** The CORS headers of an answer to a request from `origin` (https://fetch.spec.whatwg.org/#http-cors-protocol). */
export function corsHeaders(
  cors: Required<CorsOptions>,
  origin: string | null,
): Record<string, string> {
  if (cors.origins.length === 0) return {}
  if (cors.origins.includes('*')) return { 'access-control-allow-origin': '*' }
  if (origin === null || !cors.origins.includes(origin)) return { vary: 'Origin' }
  return {
    'access-control-allow-origin': origin,
    ...(cors.credentials && { 'access-control-allow-credentials': 'true' }),
    vary: 'Origin',
  }
}

/** What a preflight is told beside {@link corsHeaders}. */
export function preflightHeaders(
  methods: string,
  requested: string | null,
): Record<string, string> {
  return {
    'access-control-allow-methods': methods,
    // EventSource sends Last-Event-ID by itself, but a page that fetches must be allowed to.
    'access-control-allow-headers': requested ?? 'Last-Event-ID, Cache-Control',
    'access-control-max-age': '600',
  }
}

function originOf(url: string): string | undefined {
  try {
    return new URL(url).origin
  } catch {
    return undefined
  }
}
