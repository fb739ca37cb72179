import { Buffer, isUtf8 } from 'node:buffer'
import { CONTROL_PREFIX, type OutgoingMessage } from '../driver.ts'
import { StreamerError } from '../errors.ts'
import { isEventName, topicOf } from '../topic.ts'

/** A value that JSON can say. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue | undefined }

/** What may be published: strings and bytes go as they are, any other value as JSON. */
export type PublishData = JsonValue | Uint8Array

/** What may go with a published message. */
export interface PublishOptions {
  /** Event name in the browser. @default what the client subscribed to */
  event?: string
  /** Id of the message, for those who deduplicate: 1 to 255 characters. @default a random UUID */
  id?: string
}

/** One of several messages to publish; with `topics`, the same to each of them. */
export type PublishItem = PublishOptions & { data: PublishData } & (
    | { topic: string; topics?: never }
    | { topics: readonly string[]; topic?: never }
  )

/** Messages to single clients travel on this topic, for all clients and replicas. */
export const DIRECT_TOPIC = 'asbru.direct'

/** What replicas of a namespace tell each other travels here, and what one of them is told alone. */
export function controlTopic(namespace: string, replica?: string): string {
  return CONTROL_PREFIX + (replica === undefined ? namespace : `${namespace}.${replica}`)
}

/** What a message is checked against before it goes to the broker. */
export interface MessageLimits {
  readonly maxPayloadBytes: number
  readonly binary: 'refuse' | 'base64'
  /** Whether the broker carries an event name beside the payload. */
  readonly headers: boolean
  readonly newId: () => string
  /** Messages to single clients stay within it. */
  readonly namespace: string
}

/** A checked message, ready for the driver, and its id. */
export interface CheckedMessage {
  readonly id: string
  readonly message: OutgoingMessage
}

/**
 * Checks what is published to a topic.
 * @throws {StreamerError} `INVALID_TOPIC`, `INVALID_REQUEST`, `PAYLOAD_TOO_LARGE`, `NOT_SUPPORTED_BY_DRIVER`
 */
export function topicMessage(
  topic: string,
  data: PublishData,
  options: PublishOptions,
  limits: MessageLimits,
): CheckedMessage {
  const checked = topicOf(topic)
  const payload = payloadOf(data, limits)
  const { event, id } = checkedOptions(options, limits)
  if (limits.headers)
    return { id, message: { topic: checked, payload, id, ...(event !== undefined && { event }) } }
  if (event !== undefined || options.id !== undefined) {
    throw new StreamerError(
      'NOT_SUPPORTED_BY_DRIVER',
      'The broker has no message headers to carry an event name or an id: publish without them.',
    )
  }
  return { id, message: { topic: checked, payload } }
}

/**
 * Checks what is sent to one client. Its head stands in the payload, so that brokers without headers
 * carry it too: a line of JSON, then the data.
 * @throws {StreamerError} `INVALID_REQUEST`, `PAYLOAD_TOO_LARGE`
 */
export function directMessage(
  to: string,
  data: PublishData,
  options: PublishOptions,
  limits: MessageLimits,
): CheckedMessage {
  const payload = payloadOf(data, limits)
  const { event, id } = checkedOptions(options, limits)
  const head = Buffer.from(
    `${JSON.stringify({ v: 1, namespace: limits.namespace, to, event, id })}\n`,
  )
  return { id, message: { topic: DIRECT_TOPIC, payload: Buffer.concat([head, payload]) } }
}

/** A message to one client, as it comes from the broker. */
export interface DirectMessage {
  readonly to: string
  readonly payload: Uint8Array
  readonly event?: string
  readonly id?: string
}

/** Reads what {@link directMessage} wrote in that namespace; `undefined` for anything else. */
export function readDirect(message: Uint8Array, namespace: string): DirectMessage | undefined {
  const end = message.indexOf(0x0a)
  if (end < 0 || end > 4096) return undefined
  try {
    const head = JSON.parse(Buffer.from(message.subarray(0, end)).toString()) as Record<
      string,
      unknown
    >
    if (head['v'] !== 1 || head['namespace'] !== namespace) return undefined
    if (typeof head['to'] !== 'string') return undefined
    const { to, event, id } = head
    return {
      to,
      payload: message.subarray(end + 1),
      ...(typeof event === 'string' && { event }),
      ...(typeof id === 'string' && { id }),
    }
  } catch {
    return undefined
  }
}

function payloadOf(data: PublishData, { maxPayloadBytes, binary }: MessageLimits): Uint8Array {
  const payload = data instanceof Uint8Array ? data : Buffer.from(textOf(data))
  if (payload.length > maxPayloadBytes) {
    throw new StreamerError(
      'PAYLOAD_TOO_LARGE',
      `The payload has ${payload.length} bytes; the most is ${maxPayloadBytes} (maxPayloadBytes).`,
    )
  }
  if (binary === 'refuse' && data instanceof Uint8Array && !isUtf8(payload)) {
    throw new StreamerError(
      'INVALID_REQUEST',
      "The payload is not UTF-8: set `binary: 'base64'` to relay it encoded.",
    )
  }
  return payload
}

function textOf(data: Exclude<PublishData, Uint8Array>): string {
  if (typeof data === 'string') return data
  let text: string | undefined
  let cause: unknown
  try {
    text = JSON.stringify(data)
  } catch (error) {
    cause = error
  }
  if (text === undefined)
    throw new StreamerError('INVALID_REQUEST', '`data` is not a value that JSON can say.', {
      cause,
    })
  return text
}

function checkedOptions(
  { event, id }: PublishOptions,
  { newId }: MessageLimits,
): { event?: string; id: string } {
  if (event !== undefined && (typeof event !== 'string' || !isEventName(event))) {
    throw new StreamerError(
      'INVALID_REQUEST',
      '`event` is empty, too long, reserved (`message`, `open`, `error`, `asbru.…`), or has control characters.',
    )
  }
  if (id !== undefined && (typeof id !== 'string' || !/^[^\p{Cc}\p{Cs}]{1,255}$/u.test(id))) {
    throw new StreamerError(
      'INVALID_REQUEST',
      '`id` is not a string of 1 to 255 characters without control characters.',
    )
  }
  return { ...(event !== undefined && { event }), id: id ?? newId() }
}
