import type { GapReason, TopicPattern } from '../driver.ts'
import { encodeEvent, type Frame } from './encode-event.ts'

/** Codes of `{"error":{…}}` messages. */
export type TopicErrorCode = 'subscription-failure' | 'payload-too-large' | 'payload-not-utf8'

/** `{"gap":…}`, with the cursor from which the stream goes on if the gap moves it. */
export function gapFrame(reason: GapReason, cursor?: string, topics?: readonly string[]): Frame {
  const data = JSON.stringify({ gap: { reason, topics } })
  return encodeEvent(cursor === undefined ? { data } : { id: cursor, data })
}

/** Why the server ends a connection. */
export type CloseReason =
  | 'shutdown'
  | 'removed'
  | 'expired'
  | 'not-ready'
  | 'overloaded'
  | 'too-many-connections'
  | 'slow-consumer'

/** `{"closing":…}`, with the time in milliseconds after which the browser comes back. */
export function closingFrame(reason: CloseReason, retryMs?: number): Frame {
  const data = JSON.stringify({ closing: { reason } })
  return encodeEvent(retryMs === undefined ? { data } : { retry: retryMs, data })
}

/** The first message of every connection. */
export function firstFrame(first: {
  clientId: string
  ttlMs: number
  topics: readonly string[]
  retryMs: number
  cursor?: string
}): Frame {
  const config = { client_id: first.clientId, client_ttl_millis: first.ttlMs }
  return encodeEvent({
    retry: first.retryMs,
    ...(first.cursor !== undefined && { id: first.cursor }),
    data: JSON.stringify({ config, subscriptions: first.topics }),
  })
}

/** `{"subscriptions":…}`, after every change of them. */
export function subscriptionsFrame(topics: readonly string[]): Frame {
  return infoFrame({ subscriptions: topics })
}

/** Keeps proxies from ending a quiet stream, and the browser's cursor fresh: no data, so no event fires. */
export function keepaliveFrame(cursor: string): Frame {
  return encodeEvent({ comment: 'keepalive', id: cursor })
}

/** `{"error":…}`: why an event of a topic does not come. */
export function errorFrame(topic: TopicPattern, code: TopicErrorCode, message: string): Frame {
  return infoFrame({ error: { topic, code, message } })
}

function infoFrame(info: object): Frame {
  return encodeEvent({ data: JSON.stringify(info) })
}
