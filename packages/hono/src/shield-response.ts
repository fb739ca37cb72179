import type { NodeResponse } from '@asbru/core'

/**
 * Makes every way to write to a response do nothing, on this one response. Whoever holds its own methods, bound,
 * still writes.
 *
 * `x-hono-already-sent` is not enough: a middleware that sets a header after `next()` makes Hono build a new
 * answer, and `@hono/node-server` then writes that answer's head, or an error about it, into the live stream.
 */
export function shieldResponse(response: NodeResponse): void {
  Object.assign(response, nothing)
}

/** Shared by all responses, so that an idle connection pays for no closure. */
const nothing = {
  writeHead: itself,
  setHeader: itself,
  appendHeader: itself,
  removeHeader: itself,
  flushHeaders: itself,
  end: itself,
  destroy: itself,
  write: (): boolean => true,
}

function itself(this: unknown): unknown {
  return this
}
