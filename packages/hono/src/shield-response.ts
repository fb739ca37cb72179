import type { NodeResponse } from '@asbru/core'

/**
 * Makes every way to write to a response do nothing, on this one response. Whoever holds its own methods
 * still writes.
 *
 * `x-hono-already-sent` is not enough: a middleware that sets a header after `next()` makes Hono build a new
 * answer, and `@hono/node-server` then writes that answer's head, or an error about it, into the live stream.
 */
export function shieldResponse(response: NodeResponse): void {
  const prototype = Object.getPrototypeOf(response) as object
  let shield = shields.get(prototype)
  if (shield === undefined) {
    shield = Object.assign(Object.create(prototype) as object, nothing)
    shields.set(prototype, shield)
  }
  Object.setPrototypeOf(response, shield)
}

/** One for each class of responses, between the class and its instances: an idle connection pays nothing. */
const shields = new WeakMap<object, object>()

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
