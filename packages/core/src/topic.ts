import { Buffer } from 'node:buffer'
import { StreamerError } from './errors.ts'

const MAX_BYTES = 255
/** Control characters, white space, the wildcards of all brokers, and halves of surrogate pairs. */
const FORBIDDEN = /[\p{Cc}\s*>#]|\p{Cs}/u
/** Names that EventSource uses itself. */
const EVENT_SOURCE_NAMES = new Set(['message', 'open', 'error'])

/** Whether `topic` is one that messages may be published to. */
export function isTopic(topic: string): boolean {
  return faultOf(topic) === undefined
}

/**
 * Returns `topic` if messages may be published to it.
 * @throws {StreamerError} `INVALID_TOPIC`
 */
export function topicOf(topic: unknown): string {
  return checked(topic, 'topic', faultOf)
}

/**
 * Returns `topic` if it may be subscribed to: a topic, or a pattern where `*` stands for one segment
 * and a final `**` for any number, none included.
 * @throws {StreamerError} `INVALID_TOPIC`
 */
export function topicPatternOf(topic: unknown): string {
  return checked(topic, 'topic or pattern', patternFaultOf)
}

/** Whether `topic` may be subscribed to. */
export function isTopicPattern(topic: string): boolean {
  return patternFaultOf(topic) === undefined
}

/** Whether a subscription has wildcards. */
export function isPattern(topic: string): boolean {
  return topic.includes('*')
}

/** Whether brokers or Asbru keep `topic` for themselves. No pattern ever delivers a reserved topic. */
export function isReserved(topic: string): boolean {
  const first = topic.charCodeAt(0)
  return (
    first === 0x24 /* $ */ ||
    first === 0x5f /* _ */ ||
    topic === 'asbru' ||
    topic.startsWith('asbru.')
  )
}

/** Whether `pattern` (or an exact topic) delivers `topic`. */
export function matches(pattern: string, topic: string): boolean {
  if (!isPattern(pattern)) return pattern === topic
  if (isReserved(topic)) return false
  const wanted = pattern.split('.')
  const rest = wanted.at(-1) === '**'
  if (rest) wanted.pop()
  const segments = topic.split('.')
  if (rest ? segments.length < wanted.length : segments.length !== wanted.length) return false
  return wanted.every((segment, i) => segment === '*' || segment === segments[i])
}

/** Whether all that the subscription `asked` delivers is delivered by `allowed` as well. */
export function covers(allowed: string, asked: string): boolean {
  if (!asked.endsWith('**')) return allowed === asked || matches(allowed, asked)
  if (!allowed.endsWith('**')) return false
  const prefix = allowed.split('.').slice(0, -1)
  // No topic is without a segment, so `**` asks for no more than `*.**`.
  const segments = asked === '**' ? ['*'] : asked.split('.').slice(0, -1)
  return prefix.every(
    (segment, i) => i < segments.length && (segment === '*' || segment === segments[i]),
  )
}

/** Whether `name` may stand in an `event:` line as a publisher's choice. */
export function isEventName(name: string): boolean {
  return (
    name.length > 0 &&
    !EVENT_SOURCE_NAMES.has(name) &&
    name !== 'asbru' &&
    !name.startsWith('asbru.') &&
    !/\p{Cc}|\p{Cs}|[\u2028\u2029]/u.test(name) &&
    Buffer.byteLength(name) <= MAX_BYTES
  )
}

function checked(
  topic: unknown,
  what: string,
  fault: (topic: string) => string | undefined,
): string {
  const reason = typeof topic === 'string' ? fault(topic) : `is not a string but ${typeof topic}`
  if (reason === undefined) return topic as string
  const shown = typeof topic === 'string' ? `${JSON.stringify(topic.slice(0, 80))} ` : ''
  throw new StreamerError('INVALID_TOPIC', `The ${what} ${shown}${reason}.`)
}

function patternFaultOf(topic: string): string | undefined {
  if (!isPattern(topic)) return faultOf(topic)
  if (topic.length > MAX_BYTES) return tooLong
  const segments = topic.split('.')
  if (segments.slice(0, -1).includes('**')) return 'has `**` before its end'
  // As long as they are, since the length counts too.
  const plain = segments.map((segment) =>
    /^\*{1,2}$/.test(segment) ? 'x'.repeat(segment.length) : segment,
  )
  return faultOf(plain.join('.'))
}

const tooLong = `is longer than ${MAX_BYTES} bytes of UTF-8`

function faultOf(topic: string): string | undefined {
  if (topic === '') return 'is empty'
  // Measured in code units first, so that a huge one is not scanned.
  if (topic.length > MAX_BYTES || Buffer.byteLength(topic) > MAX_BYTES) return tooLong
  if (FORBIDDEN.test(topic)) return 'has white space, a control character, or one of `*`, `>`, `#`'
  if (topic.startsWith('.') || topic.endsWith('.') || topic.includes('..'))
    return 'has an empty segment'
  if (isReserved(topic)) return 'is reserved: no topic begins with `$`, `_` or `asbru.`'
  if (EVENT_SOURCE_NAMES.has(topic)) return 'is a name that EventSource uses itself'
  return undefined
}
