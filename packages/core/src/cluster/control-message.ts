import { Buffer } from 'node:buffer'
import { createHmac, timingSafeEqual } from 'node:crypto'
import { isTopicPattern } from '../topic.ts'
import {
  type Check,
  count,
  flag,
  listOf,
  number,
  object,
  optional,
  shapeOf,
  text,
  tupleOf,
} from './checks.ts'
import type { Fragment } from './record.ts'
import type { Stamps } from './stamps.ts'

const VERSION = 1
/** What is larger is not taken. Snapshots are sent in parts that are much smaller. */
export const MAX_MESSAGE_BYTES = 786_432
const MAX_ID_LENGTH = 128

/** How many parts a digest of the registry has. */
export const BUCKETS = 256

/** Why a change did not take: a later stamp, or that there is a client of that id. */
export type Verdict = string
export const EXISTS: Verdict = '~exists'

/** Which change a record tells of, for those who acknowledge it. */
export interface Operation {
  /** Making a client with an id of its own, or one that was chosen; topics; removal. */
  readonly kind: 'make' | 'claim' | 'topics' | 'remove'
  readonly stamp: string
  readonly topics: readonly string[]
}

/** What one replica tells of others: the age of their last beat, and whether they are known to have ended. */
export type PeerAge = readonly [
  replica: string,
  name: string,
  startedAt: number,
  age: number,
  isOver: boolean,
]

/** What replicas tell each other. */
export type ControlBody =
  | {
      readonly kind: 'beat'
      readonly n: number
      /** Of this replica's beats. */
      readonly beat: number
      /** The last number applied of each replica, up to the first hole. */
      readonly applied: readonly (readonly [replica: string, n: number])[]
      /** Left out while it stays the same. */
      readonly digest?: readonly number[]
      /** Whether it may have forgotten removals. */
      readonly isStale: boolean
      readonly isSynced: boolean
      readonly says: readonly (readonly [replica: string, says: Says])[]
      /** Numbers that never reached the broker. */
      readonly lost: readonly number[]
    }
  | {
      readonly kind: 'record'
      readonly n: number
      readonly fragment: Fragment
      readonly op?: Operation
    }
  | { readonly kind: 'bye'; readonly n: number }
  | { readonly kind: 'ack'; readonly top: number; readonly says: Says }
  | { readonly kind: 'again'; readonly first: number; readonly last: number }
  | {
      readonly kind: 'want'
      readonly key: string
      readonly buckets?: readonly number[]
      /** Whether the asker knows nothing yet. */
      readonly isFirst: boolean
    }
  | {
      readonly kind: 'part'
      readonly key: string
      /** Absent: there is nothing to be had. */
      readonly part?: SnapshotPart
    }
  | { readonly kind: 'ask'; readonly id: string }
  | {
      readonly kind: 'answer'
      readonly id: string
      readonly isSure: boolean
      readonly fragment?: Fragment
    }

/** Verdicts by the number of the message that they are of. */
export type Says = readonly (readonly [n: number, verdict: Verdict])[]

/** A part of a snapshot. */
export interface SnapshotPart {
  readonly index: number
  readonly isLast: boolean
  readonly fragments: readonly Fragment[]
  /** The numbers applied when the snapshot began. */
  readonly applied: readonly (readonly [replica: string, n: number])[]
  readonly peers: readonly PeerAge[]
  readonly isStale: boolean
  /** For how long its sender has been in touch, and since when it is sure of what it knows. */
  readonly whole: number
  readonly empty: number
}

/** Who sent it. */
export interface Sender {
  readonly from: string
  /** A new start under an old name ends the older one. */
  readonly name: string
  readonly startedAt: number
}

export type ControlMessage = Sender & ControlBody

/** Writes and reads what replicas tell each other. */
export class ControlCodec {
  readonly #namespace: string
  readonly #replica: string
  readonly #secret: string | undefined
  readonly #check: Check
  readonly #wallTime: () => number
  readonly #maxAgeMs: number

  constructor(options: {
    readonly namespace: string
    /** The one that reads with it. */
    readonly replica: string
    readonly secret: string | undefined
    readonly stamps: Stamps
    readonly wallTime: () => number
    /** Signed messages that are older are not taken. */
    readonly maxAgeMs: number
  }) {
    this.#namespace = options.namespace
    this.#replica = options.replica
    this.#secret = options.secret
    this.#check = checkOf(options.stamps)
    this.#wallTime = options.wallTime
    this.#maxAgeMs = options.maxAgeMs
  }

  /** Writes one for all replicas, or for one of them, which is named, so that no other takes it. */
  encode(message: ControlMessage, to?: string): Buffer {
    const head = { v: VERSION, namespace: this.#namespace, time: Math.trunc(this.#wallTime()), to }
    const body = Buffer.from(JSON.stringify({ ...head, ...message }))
    return this.#secret === undefined ? body : Buffer.concat([this.#sign(body), body])
  }

  /**
   * Reads one, or returns `undefined` for what is none of this version and namespace, is for another replica, or is not
   * signed as it should be.
   */
  decode(bytes: Uint8Array): ControlMessage | undefined {
    if (bytes.length > MAX_MESSAGE_BYTES) return undefined
    const body = this.#verified(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
    if (body === undefined) return undefined
    let value: Record<string, unknown>
    try {
      value = JSON.parse(body.toString()) as Record<string, unknown>
    } catch {
      return undefined
    }
    if (!object(value) || value['v'] !== VERSION || value['namespace'] !== this.#namespace)
      return undefined
    // What is numbered is for all, and the rest for one.
    const to = 'n' in value ? undefined : this.#replica
    if (value['to'] !== to) return undefined
    const age = this.#wallTime() - Number(value['time'])
    if (this.#secret !== undefined && !(Math.abs(age) <= this.#maxAgeMs)) return undefined
    return this.#check(value) ? (value as unknown as ControlMessage) : undefined
  }

  #sign(body: Uint8Array): Buffer {
    return createHmac('sha256', this.#secret!).update(body).digest()
  }

  #verified(bytes: Buffer): Buffer | undefined {
    if (this.#secret === undefined) return bytes
    const body = bytes.subarray(SIGNATURE_BYTES)
    if (bytes.length <= SIGNATURE_BYTES) return undefined
    const isRight = timingSafeEqual(bytes.subarray(0, SIGNATURE_BYTES), this.#sign(body))
    return isRight ? body : undefined
  }
}

const SIGNATURE_BYTES = 32

const topic: Check = (value) => typeof value === 'string' && isTopicPattern(value)

function checkOf(stamps: Stamps): Check {
  const replica = text(MAX_ID_LENGTH)
  const stamp: Check = (value) => stamps.isSound(value)
  const says = listOf(tupleOf(count, (value) => value === EXISTS || stamps.isSound(value)))
  const numbers = listOf(tupleOf(replica, count))
  const id: Check = (value) => text(MAX_ID_LENGTH)(value) && value !== ''
  const fragment = shapeOf({
    id,
    born: stamp,
    made: number,
    gone: stamp,
    goneAt: number,
    set: shapeOf({ stamp, ttlMs: count, metadata: object, madeAt: text(512) }),
    topics: listOf(tupleOf(topic, stamp, flag)),
    holders: listOf(tupleOf(replica, count, listOf(tupleOf(text(64), number)), number, flag)),
  })
  const op = shapeOf({
    kind: (value) => ['make', 'claim', 'topics', 'remove'].includes(value as string),
    stamp,
    topics: listOf(topic),
  })
  const buckets = listOf((value) => count(value) && (value as number) < BUCKETS)
  const part = shapeOf({
    index: count,
    isLast: flag,
    fragments: listOf(fragment),
    applied: numbers,
    peers: listOf(tupleOf(replica, text(MAX_ID_LENGTH), number, number, flag)),
    isStale: flag,
    whole: number,
    empty: number,
  })
  const bodies: Readonly<Record<string, Check>> = {
    beat: shapeOf({
      n: count,
      beat: count,
      applied: numbers,
      digest: optional((value) => listOf(number)(value) && (value as unknown[]).length === BUCKETS),
      isStale: flag,
      isSynced: flag,
      says: listOf(tupleOf(replica, says)),
      lost: listOf(count),
    }),
    record: shapeOf({ n: count, fragment, op: optional(op) }),
    bye: shapeOf({ n: count }),
    ack: shapeOf({ top: count, says }),
    again: shapeOf({ first: count, last: count }),
    want: shapeOf({ key: text(64), buckets: optional(buckets), isFirst: flag }),
    part: shapeOf({ key: text(64), part: optional(part) }),
    ask: shapeOf({ id }),
    answer: shapeOf({ id, isSure: flag, fragment: optional(fragment) }),
  }
  const sender = shapeOf({ from: replica, name: text(MAX_ID_LENGTH), startedAt: number })
  return (value) => {
    const { kind } = value as { kind?: unknown }
    const known = typeof kind === 'string' && Object.hasOwn(bodies, kind)
    return known && sender(value) && bodies[kind]!(value)
  }
}
