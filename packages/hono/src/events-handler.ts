import { EventStream, type NodeRequest, type NodeResponse, type Streamer } from '@asbru/core'
import type { Context, Handler } from 'hono'
import { headersBefore, withHeadersBefore } from './headers-before.ts'
import { shieldResponse } from './shield-response.ts'

/** How {@link events} is to understand requests. */
export interface EventsOptions {
  /**
   * Takes the client's id from a cookie or a session, so that it stands in no URL; `undefined` if there is
   * none. @default the query's `id`
   */
  clientId?: (c: Context) => string | undefined | Promise<string | undefined>
}

/**
 * Serves the event stream of `streamer` behind any middleware; headers that were set before it are kept.
 * Under `@hono/node-server` it writes to the socket itself, so headers that are set after `next()` come too
 * late.
 *
 * @example
 * app.use('/events', cors({ origin: 'https://app.example.com' }))
 * app.all('/events', events(streamer))
 */
export function events(
  streamer: Pick<Streamer, 'accept'>,
  { clientId }: EventsOptions = {},
): Handler {
  return async (c) => {
    const answer = await streamer.accept(
      c.req.raw,
      clientId === undefined ? {} : { clientId: () => clientId(c) },
    )
    // Not asked the other way round: `@hono/node-server` puts a class of its own in place of `Response`.
    if (!(answer instanceof EventStream)) return withHeadersBefore(c, answer)
    const { incoming, outgoing } = nodePairOf(c)
    if (incoming !== undefined && outgoing !== undefined) {
      answer.toNode(incoming, outgoing, headersBefore(c))
      shieldResponse(outgoing)
      return alreadySent(answer.headers)
    }
    if (c.req.raw.signal.aborted) {
      answer.abandon()
      return new Response(null)
    }
    return withHeadersBefore(c, answer.toResponse())
  }
}

/** What `@hono/node-server` hands to handlers; absent on every other runtime. */
function nodePairOf(c: Context): { incoming?: NodeRequest; outgoing?: NodeResponse } {
  return (c.env as ReturnType<typeof nodePairOf> | undefined) ?? {}
}

/** Tells `@hono/node-server` to leave the response alone, and middleware what kind of answer it is. */
function alreadySent(headers: Readonly<Record<string, string>>): Response {
  return new Response(null, { headers: { ...headers, 'x-hono-already-sent': 'true' } })
}
