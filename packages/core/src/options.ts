import { Buffer } from 'node:buffer'
import { v4 as uuid } from 'uuid'
import type { Client } from './clients/client.ts'
import type { ClientStore, ConnectionInfo } from './clients/client-store.ts'
import { type Clock, systemClock } from './clock.ts'
import type { Driver, DriverStatus } from './driver.ts'
import { StreamerError } from './errors.ts'
import { type CorsOptions, checkCors } from './http/cors.ts'
import { type Logger, silentLogger } from './logger.ts'
import { memoryClientStore } from './clients/memory-client-store.ts'
import { replicatedClientStore } from './cluster/replicated-client-store.ts'
import type { EventNaming } from './events/naming.ts'
import { topicPatternOf } from './topic.ts'

/** What an authorization hook says: yes, no (403), or an answer of its own. */
export type Verdict = boolean | Response

/**
 * The answer that a hook chose, if it chose one. Not asked with `instanceof`: `@hono/node-server` puts a class of
 * its own in place of `Response`, and what `fetch` resolves with is none of that class.
 */
export function chosenResponse(verdict: unknown): { response?: Response } {
  const chosen = verdict as Response | null | undefined
  return typeof chosen?.arrayBuffer === 'function' ? { response: chosen } : {}
}

/** What a {@link Streamer} may be told. Only `driver` is needed. */
export interface StreamerOptions {
  /** Speaks to the broker. */
  driver: Driver
  /** Keeps the clients. @default in memory, and on all replicas where the driver reaches others */
  store?: ClientStore
  /** Keeps deployments apart that share a broker: 1 to 64 of `[A-Za-z0-9_-]`. @default 'asbru' */
  namespace?: string
  /**
   * Name of this replica: 1 to 64 of `[A-Za-z0-9_-]`, such as that of its pod. A replica that starts under the name of
   * an older one takes its place. @default none
   */
  name?: string
  /** How long a client lives without a connection, in milliseconds. @default 60_000 */
  clientTtlMs?: number
  /** Topics that every new client has. @default [] */
  defaultTopics?: readonly string[]
  /** Whether a connection without an id makes a client of its own, and which topics it may ask for. @default false */
  anonymous?: false | { readonly topics: readonly string[] }
  /** What names an event that its publisher gave no name. @default 'topic' */
  eventNames?: EventNaming
  /** What to do with payloads that are not UTF-8. @default 'refuse' */
  binary?: 'refuse' | 'base64'
  /** Origins whose pages may read the stream; none by default. @default { origins: [], credentials: false } */
  cors?: CorsOptions
  /** Open connections of this replica, at most. @default no limit */
  maxConnections?: number
  /** Open connections of one client, at most; past it the oldest is closed. @default 10 */
  maxConnectionsPerClient?: number
  /** Largest payload, in bytes; at most `maxQueueBytes`. @default 1_048_576 */
  maxPayloadBytes?: number
  /** Bound on what one connection may have queued, in bytes; past it the connection is closed. @default 1_048_576 */
  maxQueueBytes?: number
  /** How long messages are kept for clients that come back. @default clientTtlMs + 2 * keepaliveMs */
  windowMs?: number
  /** Bound on what is kept for them, in bytes. @default 67_108_864 */
  windowBytes?: number
  /** How often replicas let each other hear of them, in milliseconds. @default 1_000 */
  beatMs?: number
  /**
   * A change of a client that not all replicas have noted by then is refused with `CHANGE_TIMEOUT`, in milliseconds. It
   * still travels. @default 5_000
   */
  changeTimeoutMs?: number
  /**
   * Shared by all replicas, who sign with it what they tell each other: for brokers on which others may publish. For the
   * default `store` only. @default not signed
   */
  controlSecret?: string
  /**
   * With brokers that keep no log: how much of what another replica has had a client is given again when it comes from
   * there, in milliseconds, since replicas receive messages at different times. @default what the driver needs, or 2_000
   */
  overlapMs?: number
  /** Time without traffic after which a comment is sent, in milliseconds. @default 15_000 */
  keepaliveMs?: number
  /** Browsers reconnect after about so long: a quarter more or less, in milliseconds. @default 2_000 */
  retryMs?: number
  /** How long a topic that nobody wants any more is kept at the broker. @default 10_000 */
  lingerMs?: number
  /** `close()` ends the connections over so many milliseconds. @default 5_000 */
  drainMs?: number
  /** Asked before a connection is opened. A throw is a refusal. */
  authorizeConnection?: (asked: { request: Request; client: Client }) => Verdict | Promise<Verdict>
  /** Asked before a client gets a topic, `defaultTopics` apart. A throw is a refusal. */
  authorizeSubscription?: (asked: { client: Client; topic: string }) => Verdict | Promise<Verdict>
  /** A connection was opened. */
  onConnect?: (event: { clientId: string; connection: ConnectionInfo }) => void
  /** A connection ended, whoever ended it. */
  onDisconnect?: (event: { clientId: string; connection: ConnectionInfo }) => void
  /** A client ran out of its TTL. Every replica says so, since every one knows all clients. */
  onExpire?: (event: { client: Client }) => void
  /** Everything that the driver tells of itself. */
  onStatus?: (status: DriverStatus) => void
  /** A pino instance, or anything like it. @default silent */
  logger?: Logger
  /** @default the machine's */
  clock?: Clock
  /** Makes ids of clients, messages, connections and the replica: at least 122 random bits. @default uuid v4 */
  newId?: () => string
  /** Spreads reconnects: 0 to 1. @default Math.random */
  random?: () => number
}

/** All options, with their defaults filled in. */
export type ResolvedOptions = Required<Omit<StreamerOptions, HookName | OptionalName | 'cors'>> & {
  cors: Required<CorsOptions>
} & Pick<StreamerOptions, HookName | OptionalName>

/** Options that may be left out and have no default. */
type OptionalName = 'name' | 'controlSecret'

type HookName =
  | 'authorizeConnection'
  | 'authorizeSubscription'
  | 'onConnect'
  | 'onDisconnect'
  | 'onExpire'
  | 'onStatus'

const MAX_TIMER_MS = 2 ** 31 - 1
const MEBIBYTE = 1024 * 1024
const OVERLAP_MS = 2_000

const defaults = {
  namespace: 'asbru',
  clientTtlMs: 60_000,
  defaultTopics: [] as readonly string[],
  anonymous: false,
  eventNames: 'topic',
  binary: 'refuse',
  cors: {} as CorsOptions,
  maxConnections: Number.MAX_SAFE_INTEGER,
  maxConnectionsPerClient: 10,
  maxQueueBytes: MEBIBYTE,
  windowBytes: 64 * MEBIBYTE,
  beatMs: 1_000,
  changeTimeoutMs: 5_000,
  keepaliveMs: 15_000,
  retryMs: 2_000,
  lingerMs: 10_000,
  drainMs: 5_000,
  logger: silentLogger,
  clock: systemClock,
  newId: flatUuid,
  random: Math.random,
} satisfies Partial<StreamerOptions>

/**
 * Fills in the defaults.
 * @throws {StreamerError} `INVALID_REQUEST` with the name of the option, `INVALID_TOPIC`
 */
export function resolveOptions(options: StreamerOptions): ResolvedOptions {
  if (typeof options?.driver?.open !== 'function') {
    throw invalid('driver', 'is not a driver, such as memoryDriver()')
  }
  const all = { ...defaults, ...given(options) }
  const { clientTtlMs, keepaliveMs, clock, maxQueueBytes, beatMs, changeTimeoutMs, ...chosen } = all
  const { controlSecret } = chosen
  const resolved: ResolvedOptions = {
    store: chosen.driver.capabilities.shared
      ? replicatedClientStore({
          beatMs,
          changeTimeoutMs,
          ...(controlSecret !== undefined && { controlSecret }),
        })
      : memoryClientStore(),
    maxPayloadBytes: Math.min(MEBIBYTE, maxQueueBytes),
    overlapMs: chosen.driver.capabilities.overlapMs ?? OVERLAP_MS,
    windowMs: Math.min(clientTtlMs + 2 * keepaliveMs, MAX_TIMER_MS),
    ...chosen,
    clientTtlMs,
    keepaliveMs,
    beatMs,
    changeTimeoutMs,
    clock,
    maxQueueBytes,
    defaultTopics: chosen.defaultTopics.map(topicPatternOf),
    cors: checkCors(chosen.cors),
  }
  check(resolved)
  return resolved
}

function check(options: ResolvedOptions): void {
  for (const name of ['clientTtlMs', 'windowMs', 'retryMs', 'lingerMs', 'drainMs'] as const) {
    milliseconds(name, options[name])
  }
  milliseconds('keepaliveMs', options.keepaliveMs, 100)
  milliseconds('beatMs', options.beatMs, 10)
  milliseconds('changeTimeoutMs', options.changeTimeoutMs, 1)
  milliseconds('overlapMs', options.overlapMs)
  if (options.controlSecret === '') throw invalid('controlSecret', 'is empty')
  if (options.name !== undefined && !/^[A-Za-z0-9_-]{1,64}$/.test(options.name)) {
    throw invalid('name', 'is not 1 to 64 of [A-Za-z0-9_-]')
  }
  for (const name of [
    'maxConnections',
    'maxConnectionsPerClient',
    'maxPayloadBytes',
    'maxQueueBytes',
    'windowBytes',
  ] as const) {
    if (!Number.isSafeInteger(options[name]) || options[name] < 1) {
      throw invalid(name, 'is not a whole number above 0')
    }
  }
  if (options.maxPayloadBytes > options.maxQueueBytes) {
    throw invalid('maxPayloadBytes', 'is more than maxQueueBytes')
  }
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(options.namespace)) {
    throw invalid('namespace', 'is not 1 to 64 of [A-Za-z0-9_-]')
  }
  if (!['topic', 'publisher'].includes(options.eventNames)) {
    throw invalid('eventNames', "is neither 'topic' nor 'publisher'")
  }
  if (!['refuse', 'base64'].includes(options.binary)) {
    throw invalid('binary', "is neither 'refuse' nor 'base64'")
  }
  if (options.anonymous !== false) options.anonymous.topics.forEach(topicPatternOf)
}

/** A UUID in one piece: as it is made it is a rope of fifteen pieces, which an id of long life would keep. */
function flatUuid(): string {
  return Buffer.from(uuid(), 'latin1').toString('latin1')
}

/** The options without those that are there but `undefined`. */
function given(options: StreamerOptions): StreamerOptions {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as unknown as StreamerOptions
}

/**
 * Returns `ms` if a timer can wait so long.
 * @throws {StreamerError} `INVALID_REQUEST`
 */
export function milliseconds(name: string, ms: number, least = 0): number {
  if (Number.isInteger(ms) && ms >= least && ms <= MAX_TIMER_MS) return ms
  throw invalid(name, `is not a whole number of milliseconds from ${least} to ${MAX_TIMER_MS}`)
}

function invalid(option: string, fault: string): StreamerError {
  return new StreamerError('INVALID_REQUEST', `The option \`${option}\` ${fault}.`)
}
