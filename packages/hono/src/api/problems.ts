import { problemResponse, StreamerError } from '@asbru/core'
import { z } from '@hono/zod-openapi'
import { HTTPException } from 'hono/http-exception'

/** What every refusal says, as `application/problem+json`. */
interface Problem {
  code: string
  title: string
  status: number
  detail: string
}

/** How the API's description tells of a status that comes with a {@link Problem}. */
export interface ProblemDescription {
  description: string
  content: { 'application/problem+json': { schema: z.ZodType<Problem> } }
}

const schema: z.ZodType<Problem> = z
  .object({
    code: z.string().openapi({ description: 'For programs.', example: 'client-not-found' }),
    title: z.string(),
    status: z.int(),
    detail: z.string().openapi({ description: 'For people.' }),
  })
  .openapi('Problem')

const meanings = {
  400: 'The request has an unknown field, a value of the wrong type, or a body that is not JSON.',
  403: 'The application refuses it.',
  404: 'There is no such client.',
  409: 'There is a client with this id.',
  413: 'The body or the payload is too large.',
  422: 'A topic is invalid, or the driver cannot do what is asked.',
  503: 'It cannot be done now: `Retry-After` says when to try again.',
}

/** Describes the refusals of a route. */
export function problems<Status extends keyof typeof meanings>(
  ...statuses: Status[]
): Record<Status, ProblemDescription> {
  const content = { 'application/problem+json': { schema } }
  const described = statuses.map((status) => [status, { description: meanings[status], content }])
  return Object.fromEntries(described) as Record<Status, ProblemDescription>
}

/**
 * Refuses input that its schema refuses.
 * @throws {StreamerError} `INVALID_REQUEST` with the path of the first fault
 */
export function refuseInvalid(result: {
  success: boolean
  target: string
  error?: z.ZodError
}): void {
  const issue = result.error?.issues[0]
  if (result.success || issue === undefined) return
  const place = result.target === 'json' ? 'body' : result.target
  if (issue.code === 'unrecognized_keys') {
    const path = pathOf(place, [...issue.path, issue.keys[0]!])
    throw new StreamerError('INVALID_REQUEST', `\`${path}\` is unknown.`)
  }
  throw new StreamerError(
    'INVALID_REQUEST',
    `\`${pathOf(place, issue.path)}\` is refused: ${issue.message}.`,
  )
}

/** The answer for whatever a route threw. */
export function problemOf(error: unknown): Response {
  // What Hono's validator throws before a schema sees the body.
  if (!(error instanceof HTTPException)) return problemResponse(error)
  const detail =
    error.status === 415
      ? 'The `Content-Type` is not `application/json`.'
      : 'The `body` is not valid JSON.'
  return problemResponse(new StreamerError('INVALID_REQUEST', detail))
}

/** As one would write it in JavaScript, cut where someone sent a huge key. */
function pathOf(place: string, path: readonly PropertyKey[]): string {
  const steps = path.map((step) =>
    typeof step === 'number' ? `[${step}]` : `.${String(step).slice(0, 80)}`,
  )
  return place + steps.join('')
}
