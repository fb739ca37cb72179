import { StreamerError, type StreamerErrorCode } from '../errors.ts'

/** Seconds after which a client may try again what failed for a passing reason. */
const RETRY_AFTER_SECONDS = '2'

const titles: Record<StreamerErrorCode, string> = {
  INVALID_REQUEST: 'Invalid request',
  CLIENT_ID_REQUIRED: 'Client id required',
  UNAUTHORIZED: 'Unauthorized',
  FORBIDDEN: 'Forbidden',
  CLIENT_NOT_FOUND: 'Client not found',
  NOT_FOUND: 'Not found',
  METHOD_NOT_ALLOWED: 'Method not allowed',
  CLIENT_EXISTS: 'Client exists',
  PAYLOAD_TOO_LARGE: 'Payload too large',
  INVALID_TOPIC: 'Invalid topic',
  NOT_SUPPORTED_BY_DRIVER: 'Not supported by the driver',
  INTERNAL: 'Internal error',
  SUBSCRIPTION_FAILURE: 'Subscription failure',
  BROKER_UNAVAILABLE: 'Broker unavailable',
  CHANGE_TIMEOUT: 'Change timeout',
  NOT_READY: 'Not ready',
  CLOSING: 'Closing',
}

/** The code of an error as it travels: `CLIENT_NOT_FOUND` is `client-not-found`. */
export function wireCode(code: StreamerErrorCode): string {
  return code.toLowerCase().replaceAll('_', '-')
}

/** The answer for an error, as `application/problem+json` (RFC 9457). What is not ours stays inside. */
export function problemResponse(error: unknown, headers: Record<string, string> = {}): Response {
  const known =
    error instanceof StreamerError
      ? error
      : new StreamerError('INTERNAL', 'The request could not be answered.')
  if (known.response !== undefined) return withHeaders(known.response, headers)
  const body = {
    code: wireCode(known.code),
    title: titles[known.code],
    status: known.status,
    detail: known.message,
  }
  return Response.json(body, {
    status: known.status,
    headers: {
      ...headers,
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      ...(known.status === 503 && { 'retry-after': RETRY_AFTER_SECONDS }),
      ...(known.status === 401 && { 'www-authenticate': 'Bearer' }),
    },
  })
}

/** A hook's own answer, with the headers that every answer has; those that it set itself stay. */
function withHeaders(response: Response, headers: Record<string, string>): Response {
  const answer = new Response(response.body, response)
  for (const [name, value] of Object.entries(headers)) {
    if (name === 'vary') answer.headers.append(name, value)
    else if (!answer.headers.has(name)) answer.headers.set(name, value)
  }
  return answer
}
