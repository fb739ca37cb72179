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
