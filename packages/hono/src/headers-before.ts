import type { Context } from 'hono'

/** The headers that middleware set so far, as `node:http` takes them. */
export function headersBefore(c: Context): Record<string, string | string[]> {
  const headers = heldBy(c)
  const cookies = headers.getSetCookie()
  return {
    ...Object.fromEntries(headers),
    ...(cookies.length > 0 && { 'set-cookie': cookies }),
  }
}

/**
 * Lets Hono add the headers that middleware set so far to `answer`. Those of which the answer has its own
 * give way, but `Vary` and the cookies grow.
 */
export function withHeadersBefore(c: Context, answer: Response): Response {
  const headers = heldBy(c)
  for (const [name, value] of answer.headers) {
    if (name === 'vary' || name === 'set-cookie') headers.append(name, value)
    else headers.delete(name)
  }
  return answer
}

function heldBy(c: Context): Headers {
  // Reading `c.res` makes Hono keep what `c.header()` set, also for an answer that `c.body()` did not make.
  const { headers } = c.res
  // Whoever set it meant another body.
  headers.delete('content-length')
  return headers
}
