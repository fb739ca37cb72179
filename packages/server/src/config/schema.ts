import { isIP } from 'node:net'
import { StreamerError, type StreamerOptions, topicPatternOf } from '@asbru/core'
import { z } from 'zod'
import { type DriverConfig, driverSchema, whyOneProcess } from '../drivers.ts'
import { isLoopback } from '../loopback.ts'
import { type StoreConfig, storeSchema } from '../stores.ts'

/** How the relay is set up: the options of a Streamer that make sense for it, and those of its listeners. */
export interface Config
  extends Required<Pick<StreamerOptions, RelayOption>>, Pick<StreamerOptions, DerivedOption> {
  /** Address of the public listener. */
  host: string
  /** Port of the public listener; 0 takes a free one. */
  port: number
  /** Address of the internal listener. */
  internalHost: string
  /** Port of the internal listener; 0 takes a free one. */
  internalPort: number
  /** What the internal listener asks for as a bearer token. */
  apiToken?: string
  /** How many processes serve; more than one share both listeners. */
  workers: number
  driver: DriverConfig
  /** Keeps clients where they outlive all replicas. */
  store?: StoreConfig
  logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent'
}

/** Fields that the schema gives a key beside its description. */
export interface KeyMeta {
  /** Never shown. */
  secret?: boolean
  /** Said in place of a default that depends on other keys. */
  defaultText?: string
  /** A word in place of the mapping stands for this key of it. */
  word?: string
}

type RelayOption =
  | 'clientTtlMs'
  | 'defaultTopics'
  | 'anonymous'
  | 'eventNames'
  | 'binary'
  | 'cors'
  | 'namespace'
  | 'maxConnectionsPerClient'
  | 'maxQueueBytes'
  | 'windowBytes'
  | 'beatMs'
  | 'changeTimeoutMs'
  | 'keepaliveMs'
  | 'retryMs'
  | 'lingerMs'
  | 'drainMs'

/** Options whose default depends on others, or that have none. */
type DerivedOption =
  | 'name'
  | 'controlSecret'
  | 'maxConnections'
  | 'maxPayloadBytes'
  | 'windowMs'
  | 'overlapMs'

const MEBIBYTE = 1024 * 1024
const MAX_WORKERS = 999
const MAX_NAME_OF_WORKERS = 60
const MAX_TIMER_MS = 2 ** 31 - 1

const port = z.int().min(0).max(65_535)
const count = z.int().min(1)
const ms = z.int().min(0).max(MAX_TIMER_MS)
const topics = z.array(z.string().superRefine(mustBeTopic))

const shape = {
  host: z
    .string()
    .refine(isHost, 'is neither an IP address nor a host name')
    .default('127.0.0.1')
    .describe('Address of the public listener, which serves /events.'),
  port: port.default(8080).describe('Port of the public listener; 0 takes a free one.'),
  internalHost: z
    .string()
    .refine(isHost, 'is neither an IP address nor a host name')
    .default('127.0.0.1')
    .describe('Address of the internal listener, which serves the HTTP API, metrics and health.'),
  internalPort: port.default(7070).describe('Port of the internal listener; 0 takes a free one.'),
  apiToken: z
    .string()
    .regex(/^[\x21-\x7e]+$/, 'is empty, or has characters that no header can carry')
    .exactOptional()
    .describe(
      'Bearer token of the internal listener. Compulsory when internalHost is not loopback.',
    )
    .meta({ secret: true, defaultText: 'none' }),
  workers: count
    .max(MAX_WORKERS)
    .default(1)
    .describe('Processes that serve, each a replica; more than one share both listeners.'),
  driver: driverSchema()
    .default({ name: 'memory' })
    .describe('Speaks to the broker. A word is short for a mapping with that name.')
    .meta({ word: 'name' }),
  store: storeSchema
    .exactOptional()
    .describe(
      'Keeps clients where they outlive all replicas. A word is short for a mapping with that name.',
    )
    .meta({ word: 'name', defaultText: 'none: they are in the replicas' }),
  namespace: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/, 'is not 1 to 64 of [A-Za-z0-9_-]')
    .default('asbru')
    .describe('Keeps deployments apart that share a broker.'),
  name: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/, 'is not 1 to 64 of [A-Za-z0-9_-]')
    .exactOptional()
    .describe(
      'Name of this replica, such as that of its pod. One that starts under it replaces it.',
    )
    .meta({ defaultText: 'none' }),
  controlSecret: z
    .string()
    .min(1, 'is empty')
    .exactOptional()
    .describe('Shared by all replicas, who sign with it what they tell each other.')
    .meta({ secret: true, defaultText: 'not signed' }),
  clientTtlMs: ms.default(60_000).describe('How long a client lives without a connection.'),
  defaultTopics: topics.default([]).describe('Topics that every new client has.'),
  anonymous: z
    .union(
      [
        z.literal(false),
        z.strictObject({
          topics: topics
            .default([])
            .describe('Topics and patterns that anonymous clients may ask for.'),
        }),
      ],
      'is neither false nor a mapping with the key topics',
    )
    .default(false)
    .describe('Whether a connection without an id makes a client of its own.'),
  eventNames: z
    .enum(['topic', 'publisher'])
    .default('topic')
    .describe('What names an event that its publisher gave no name.'),
  binary: z
    .enum(['refuse', 'base64'])
    .default('refuse')
    .describe('What to do with payloads that are not UTF-8.'),
  cors: z
    .strictObject({
      origins: z
        .array(z.string().refine(isOrigin, 'is not an origin such as https://app.example.com'))
        .default([])
        .describe('Origins whose pages may read the event stream; * for any.'),
      credentials: z.boolean().default(false).describe('Whether they may send cookies.'),
    })
    .prefault({}),
  maxConnections: count
    .exactOptional()
    .describe('Open connections, at most.')
    .meta({ defaultText: 'no limit' }),
  maxConnectionsPerClient: count
    .default(10)
    .describe('Open connections of one client, at most; past it the oldest is closed.'),
  maxPayloadBytes: count
    .exactOptional()
    .describe('Largest payload; at most maxQueueBytes.')
    .meta({ defaultText: `${MEBIBYTE}, or maxQueueBytes if that is less` }),
  maxQueueBytes: count
    .default(MEBIBYTE)
    .describe('What one connection may have queued; past it the connection is closed.'),
  windowMs: ms
    .exactOptional()
    .describe('How long messages are kept for clients that come back.')
    .meta({ defaultText: 'clientTtlMs + 2 * keepaliveMs' }),
  windowBytes: count.default(64 * MEBIBYTE).describe('Bound on what is kept for them.'),
  beatMs: ms.min(10).default(1_000).describe('How often replicas let each other hear of them.'),
  changeTimeoutMs: ms
    .min(1)
    .default(5_000)
    .describe('A change that not all replicas have noted by then is refused.'),
  overlapMs: ms
    .exactOptional()
    .describe('How much is repeated to who comes from another replica, if the broker has no log.')
    .meta({ defaultText: 'what the driver needs' }),
  keepaliveMs: ms
    .min(100)
    .default(15_000)
    .describe('Time without traffic after which a comment is sent.'),
  retryMs: ms.default(2_000).describe('Browsers reconnect after about so long.'),
  drainMs: ms.default(5_000).describe('A stop ends the connections over so long.'),
  lingerMs: ms
    .default(10_000)
    .describe('How long a topic that nobody wants any more is kept at the broker.'),
  logLevel: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('The least important logs that are written.'),
} as const

const schema = z.strictObject(shape).superRefine((config, context) => {
  const fault = (path: string[], message: string): void =>
    context.addIssue({ code: 'custom', path, message })
  if (config.cors.credentials && config.cors.origins.includes('*')) {
    fault(
      ['cors', 'origins'],
      'has * while cors.credentials is on: any page could read its visitors’ streams',
    )
  }
  if (config.apiToken === undefined && !isLoopback(config.internalHost)) {
    fault(['apiToken'], 'is needed, since internalHost is not loopback')
  }
  const oneProcess = whyOneProcess(config.driver)
  if (config.workers > 1 && oneProcess !== undefined) {
    fault(['workers'], `is more than 1, but ${oneProcess}`)
  }
  if (config.workers > 1 && (config.name?.length ?? 0) > MAX_NAME_OF_WORKERS) {
    fault(['name'], `is longer than ${MAX_NAME_OF_WORKERS}, to which workers add their number`)
  }
  if ((config.maxPayloadBytes ?? 0) > config.maxQueueBytes) {
    fault(['maxPayloadBytes'], 'is more than maxQueueBytes')
  }
})

/** Something that is wrong with one key. */
export interface Fault {
  readonly path: readonly string[]
  readonly message: string
}

/** Checks a tree of values and fills in the defaults, or tells all that is wrong with it. */
export function checkConfig(values: unknown): { config: Config } | { faults: Fault[] } {
  const { data, error } = schema.safeParse(values)
  if (error === undefined) return { config: data }
  return { faults: error.issues.flatMap(faultsOf) }
}

/** The keys, their types, defaults and descriptions as JSON Schema; {@link KeyMeta} stands beside them. */
export function configJsonSchema(): z.core.JSONSchema.BaseSchema {
  return z.toJSONSchema(schema, { io: 'input' })
}

function faultsOf(issue: z.core.$ZodIssue): Fault[] {
  const path = issue.path.map(String)
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: [...path, key], message: 'there is no such key' }))
  }
  return [{ path, message: issue.message.replace(/^Invalid input: /, '') }]
}

function mustBeTopic(topic: string, context: z.RefinementCtx): void {
  try {
    topicPatternOf(topic)
  } catch (error) {
    if (!(error instanceof StreamerError)) throw error
    context.addIssue({ code: 'custom', message: error.message })
  }
}

function isOrigin(origin: string): boolean {
  return origin === '*' || URL.parse(origin)?.origin === origin
}

function isHost(host: string): boolean {
  return isIP(host) !== 0 || /^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(host)
}
