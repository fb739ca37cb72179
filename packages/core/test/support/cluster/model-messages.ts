import type { Fragment } from './model-records.ts'
import { TOMBSTONE_MS } from './schedule.ts'
import type { ClientRecord } from '../../../src/clients/client-store.ts'

export const BEAT = 1_000
export const FRESH = 4 * BEAT
export const TOUCH = 2.5 * BEAT
export const WAIT = 1_000
export const BUCKETS = 8
export const STALE = TOMBSTONE_MS - 10_000

/** Another replica, as one knows it. */
export interface Peer {
  name: string
  startedAt: number
  at: number
  dead: boolean
  ack: number
  bad: number[]
  stale: boolean
  names: boolean
  want: number
}

/** A change that waits for its answer. */
export interface Call {
  kind: 'make' | 'claim' | 'topics' | 'remove'
  id: string
  n: number
  begun: number
  stamp: string
  said: string | undefined
  back: boolean
  delivered: boolean
  change: Partial<Fragment>
  topics: string[]
  resolve: (isDone: boolean) => void
  reject: (error: Error) => void
}

/** Callers who wait to hear whether a client exists. */
export interface Ask {
  wait: Set<string>
  resolve: ((record: ClientRecord | undefined) => void)[]
  reject: ((error: Error) => void)[]
}

/** A snapshot that comes. */
export interface Sync {
  of: string
  key: number
  moved: number
  parts: Map<number, Message>
  buckets: number[] | undefined
}

/** All that replicas of the model tell each other. */
export interface Message {
  kind: 'record' | 'beat' | 'ack' | 'want' | 'part' | 'ask' | 'answer'
  from: string
  name: string
  startedAt: number
  n?: number
  key?: number
  id?: string
  top?: number
  part?: number
  none?: boolean
  sure?: boolean
  first?: boolean
  stale?: boolean
  synced?: boolean
  whole?: number
  empty?: number
  op?: { kind: Call['kind']; stamp: string; topics: string[] }
  fragment?: Fragment
  fragments?: Fragment[]
  applied?: Record<string, number>
  peers?: Record<string, { age: number; name: string; startedAt: number }>
  says?: Record<string, string>
  saysAll?: Record<string, Record<string, string>>
  digest?: number[]
  buckets?: number[]
}

export function bucketOf(id: string): number {
  return Math.abs(hashOf(id)) % BUCKETS
}

export function hashOf(text: string): number {
  let hash = 0
  for (let at = 0; at < text.length; at++) hash = (Math.imul(hash, 31) + text.charCodeAt(at)) | 0
  return hash
}
