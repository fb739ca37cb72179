import { Buffer } from 'node:buffer'
import { crc32 } from 'node:zlib'
import type { IncomingMessage, OutgoingMessage, Position } from '@asbru/core'
import type { ConsumeMessage, Options } from 'amqplib'

const EVENT = 'asbru-event'

/** What goes with a message beside its payload. It outlives a restart of the broker, where a queue keeps it. */
export function propertiesOf({ event, id }: OutgoingMessage): Options.Publish {
  return {
    persistent: true,
    ...(event !== undefined && { headers: { [EVENT]: event } }),
    ...(id !== undefined && { messageId: id }),
  }
}

/** The same bytes, as amqplib takes them. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** A message of RabbitMQ as the Streamer takes it. */
export function incoming(
  { content, fields, properties }: ConsumeMessage,
  position?: Position,
): IncomingMessage {
  const event: unknown = properties.headers?.[EVENT]
  const id: unknown = properties.messageId
  return {
    topic: fields.routingKey,
    payload: kept(content),
    ...(typeof event === 'string' && event !== '' && { event }),
    ...(typeof id === 'string' && id !== '' && { id }),
    ...(position && { position }),
  }
}

/** A number that is all but certain to differ from that of any other message. */
export function printOf({ content, fields, properties }: ConsumeMessage): string {
  const { messageId = '', timestamp = '' } = properties
  return [fields.routingKey, messageId, timestamp, content.length, crc32(content)].join('\0')
}

/** A payload as it may be kept: not as a small part of the large block that came from the network. */
function kept(payload: Buffer): Buffer {
  return payload.length * 2 < payload.buffer.byteLength ? Buffer.from(payload) : payload
}
