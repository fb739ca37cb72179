import type { IncomingMessage, OutgoingMessage, Position } from '@asbru/core'
import { headers } from 'nats'
import type { NatsHeaders, NatsMessage } from './nats-client.ts'

const EVENT = 'Asbru-Event'
const ID = 'Asbru-Id'
/** What JetStream deduplicates by: an id if a plain publisher set it. */
const NATS_ID = 'Nats-Msg-Id'

/** What goes with a message beside its payload, if anything does. */
export function headersOf({ event, id }: OutgoingMessage): { headers?: NatsHeaders } {
  if (event === undefined && id === undefined) return {}
  const made = headers()
  if (event !== undefined) made.set(EVENT, event)
  // Never as `Nats-Msg-Id`: one id on two topics would be a duplicate to the stream.
  if (id !== undefined) made.set(ID, id)
  return { headers: made }
}

/** A message of NATS as the Streamer takes it. */
export function incoming(
  topic: string,
  { data, headers: got }: NatsMessage,
  position?: Position,
): IncomingMessage {
  const payload = ownBytes(data)
  // Most messages have no more than this, and an object that is spread costs more than all the rest.
  if (got === undefined)
    return position === undefined ? { topic, payload } : { topic, payload, position }
  const event = got.get(EVENT)
  const id = got.get(ID) || got.get(NATS_ID)
  return {
    topic,
    payload,
    ...(event && { event }),
    ...(id && { id }),
    ...(position && { position }),
  }
}

/** A small part of a large chunk from the network would keep all of it in memory. */
function ownBytes(data: Uint8Array): Uint8Array {
  return data.byteLength * 2 < data.buffer.byteLength ? new Uint8Array(data) : data
}
