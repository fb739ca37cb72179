import type { OutgoingMessage } from '@asbru/core'

/** What one replica posts to another: a batch of messages, a greeting, a beat, or all at once. */
export interface Post {
  /** Which replica sends it: a random id, new at every start. */
  readonly sender: string
  /** Where it can be posted to. Absent while it does not know. */
  readonly address?: string
  readonly namespace: string
  /** The number of its last message before it began to post to this peer. */
  readonly joined: number
  /** The number of the first of `messages`, or of the one that comes next. */
  readonly first: number
  /** In the order of their numbers, without holes. */
  readonly messages: readonly PostedMessage[]
  /** With a beat: the highest number that the sender has seen of each replica, itself included. */
  readonly seen?: Readonly<Record<string, number>>
  /** Addresses of others that it heard of late. */
  readonly peers?: readonly string[]
  /** It takes no further posts. */
  readonly bye?: boolean
}

/** What a replica answers. */
export interface Answer {
  readonly sender: string
  /** Its own last message before it posts to the asker. */
  readonly highest: number
  /** As in a {@link Post}; for an asker that is new. */
  readonly seen: Readonly<Record<string, number>>
  readonly peers: readonly string[]
}

/** Topic, payload in base64, event name, id. */
export type PostedMessage = readonly [
  topic: string,
  payload: string,
  event?: string | null,
  id?: string | null,
]

/** A message as it travels. */
export function postedMessage({ topic, payload, event, id }: OutgoingMessage): PostedMessage {
  const data = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
  if (event === undefined && id === undefined) return [topic, data.toString('base64')]
  return [topic, data.toString('base64'), event ?? null, id ?? null]
}

/** The message again. */
export function messageOf([topic, payload, event, id]: PostedMessage): OutgoingMessage {
  return {
    topic,
    payload: Buffer.from(payload, 'base64'),
    ...(typeof event === 'string' && { event }),
    ...(typeof id === 'string' && { id }),
  }
}

/** Whether it is a {@link Post}: another version, or a faulty program, must not bring a replica down. */
export function isPost(value: unknown): value is Post {
  if (!isObject(value)) return false
  const { sender, address, namespace, joined, first, messages, seen, peers } = value
  return (
    typeof sender === 'string' &&
    (address === undefined || typeof address === 'string') &&
    typeof namespace === 'string' &&
    isNumber(joined) &&
    isNumber(first) &&
    Array.isArray(messages) &&
    messages.every(isMessage) &&
    (seen === undefined || isSeen(seen)) &&
    (peers === undefined || isTexts(peers))
  )
}

/** Whether it is an {@link Answer}. */
export function isAnswer(value: unknown): value is Answer {
  return (
    isObject(value) &&
    typeof value['sender'] === 'string' &&
    isNumber(value['highest']) &&
    isSeen(value['seen']) &&
    isTexts(value['peers'])
  )
}

/** Whether it is an object, whose fields can be asked for. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function isMessage(value: unknown): boolean {
  return Array.isArray(value) && typeof value[0] === 'string' && typeof value[1] === 'string'
}

function isSeen(value: unknown): boolean {
  return isObject(value) && Object.values(value).every(isNumber)
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string')
}

function isNumber(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
