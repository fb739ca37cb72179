import { Buffer } from 'node:buffer'
import { CONTROL_PREFIX, type IncomingMessage, type OutgoingMessage } from '@asbru/core'
import type { Message } from '@google-cloud/pubsub'

/** What Pub/Sub takes for the value of an attribute. */
const MAX_ATTRIBUTE_BYTES = 1_024

/** What is published for a message of Asbru. */
export interface PublishedMessage {
  readonly data: Uint8Array
  readonly attributes: Record<string, string>
  readonly orderingKey: string
}

/**
 * A message as Pub/Sub carries it. What replicas tell each other needs an order for each sender alone, and is too much for
 * one ordering key.
 * @throws {RangeError} if event name or id is longer than an attribute may be
 */
export function outgoing(
  { topic, payload, event, id }: OutgoingMessage,
  replica: string,
): PublishedMessage {
  const attributes = {
    'asbru-topic': topic,
    ...(event !== undefined && { 'asbru-event': event }),
    ...(id !== undefined && { 'asbru-id': id }),
  }
  for (const [name, value] of Object.entries(attributes))
    if (Buffer.byteLength(value) > MAX_ATTRIBUTE_BYTES)
      throw new RangeError(`Attribute ${name} has more than ${MAX_ATTRIBUTE_BYTES} bytes.`)
  const orderingKey = topic.startsWith(CONTROL_PREFIX) ? `${topic} ${replica}` : topic
  // The client sends it later, when the caller may use its buffer again.
  return { data: Buffer.from(payload), attributes, orderingKey }
}

/** A message as Asbru hands it over, or `undefined` if it names no topic and there is no other. */
export function incoming(
  { attributes, data }: Message,
  otherTopic: string | undefined,
): IncomingMessage | undefined {
  const topic = attributes['asbru-topic'] ?? otherTopic
  if (topic === undefined) return undefined
  const event = attributes['asbru-event']
  const id = attributes['asbru-id']
  return {
    topic,
    payload: ownBytes(data),
    ...(event !== undefined && { event }),
    ...(id !== undefined && { id }),
  }
}

/** A slice of a large chunk of the network would keep all of it; `slice` of a Buffer is no copy. */
function ownBytes(data: Uint8Array): Uint8Array {
  return data.buffer.byteLength > 2 * data.byteLength ? new Uint8Array(data) : data
}
