import { createHash, timingSafeEqual } from 'node:crypto'
import { problemResponse, StreamerError } from '@asbru/core'
import type { MiddlewareHandler } from 'hono'
import { isLoopback } from './loopback.ts'

/** Lets those in who have the token. */
export function requireToken(token: string): MiddlewareHandler {
  const carries = tokenCheck(token)
  return async (c, next) => {
    if (carries(c.req.header('authorization'))) return next()
    return problemResponse(
      new StreamerError(
        'UNAUTHORIZED',
        'The request has no `Authorization: Bearer` with the token.',
      ),
    )
  }
}

/** Tells whether the value of an `Authorization` header carries the token. */
export function tokenCheck(token: string): (authorization: string | undefined) => boolean {
  const wanted = digest(token)
  return (authorization = '') => {
    const given = /^Bearer +(\S+) *$/i.exec(authorization)?.[1]
    // Digests have one length, and comparing them takes one time.
    return given !== undefined && timingSafeEqual(digest(given), wanted)
  }
}

/**
 * Keeps web pages out of a listener on loopback that has no token: those of other origins, and those whose
 * own host name was pointed at this machine (DNS rebinding).
 */
export const refuseForeignPages: MiddlewareHandler = async (c, next) => {
  const host = c.req.header('host') ?? ''
  const origin = c.req.header('origin')
  if (!isLoopback(URL.parse(`http://${host}`)?.hostname ?? '')) {
    return forbidden('The `Host` of the request is not loopback.')
  }
  if (origin !== undefined && origin !== `http://${host}`) {
    return forbidden('Pages of other origins may not use this listener.')
  }
  return next()
}

function forbidden(detail: string): Response {
  return problemResponse(new StreamerError('FORBIDDEN', detail))
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
