import { isUtf8 } from 'node:buffer'
import { StreamerError } from '@asbru/core'
import type { MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'

/**
 * Reads a body of at most `maxBytes`, and stops where it has more.
 * @throws {StreamerError} `PAYLOAD_TOO_LARGE`
 */
export function limitBody(maxBytes: number): MiddlewareHandler {
  return bodyLimit({
    maxSize: maxBytes,
    onError: () => {
      throw new StreamerError('PAYLOAD_TOO_LARGE', `The body has more than ${maxBytes} bytes.`)
    },
  })
}

/**
 * Reads a body of JSON of at most `maxBytes`. Text that is not UTF-8 is refused: read as it usually is, it would be
 * relayed broken.
 * @throws {StreamerError} `PAYLOAD_TOO_LARGE`, `INVALID_REQUEST`
 */
export function limitJson(maxBytes: number): MiddlewareHandler[] {
  return [
    limitBody(maxBytes),
    async (c, next) => {
      if (!isUtf8(await c.req.arrayBuffer())) {
        throw new StreamerError('INVALID_REQUEST', 'The `body` is not UTF-8.')
      }
      await next()
    },
  ]
}
