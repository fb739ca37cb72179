import {
  DiscardPolicy,
  ErrorCode,
  NatsError,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from 'nats'
import { isStreamNotFound, type JetStreamApi, type StreamNow } from './jetstream-api.ts'
import { NANOS_PER_MS } from './stream-place.ts'
import { includes, overlap, subjectsOf } from './subjects.ts'

/** A stream of JetStream that captures what is published. */
export interface JetStreamOptions {
  /** Its name. One that is there is used as it is. */
  stream: string
  /** How long a stream that the driver makes keeps a message, in milliseconds. @default 3_600_000 */
  maxAgeMs?: number
  /** How many bytes of messages a stream that the driver makes keeps. @default 268_435_456 */
  maxBytes?: number
  /** On how many servers of a cluster a stream that the driver makes is kept. @default 1 */
  replicas?: number
}

const HOUR_MS = 3_600_000
const QUARTER_GIBIBYTE = 268_435_456
/** What servers take for a name. */
const STREAM_NAME = /^[^\s.*>/\\\p{Cc}]{1,255}$/u

/** The stream that all replicas follow. */
export class Stream {
  readonly name: string
  readonly #api: JetStreamApi
  readonly #prefix: string
  readonly #config: StreamConfigToMake | undefined
  #subjects: readonly string[] = []

  constructor(
    api: JetStreamApi,
    prefix: string,
    options: JetStreamOptions & { readonly create: boolean },
  ) {
    this.name = options.stream
    this.#api = api
    this.#prefix = prefix
    this.#config = options.create ? configOf(prefix, options) : undefined
  }

  /** Whether it has subjects that are none of ours. */
  get isShared(): boolean {
    return !this.#subjects.every((subject) => includes(`${this.#prefix}>`, subject))
  }

  /** Whether it can hold messages of a topic or pattern. */
  captures(topic: string): boolean {
    const wanted = subjectsOf(this.#prefix, topic)
    return this.#subjects.some((own) => wanted.some((subject) => overlap(own, subject)))
  }

  /** What the server says of it; makes it if it is absent, unless `create: false`. Throws if it does not fit. */
  async info(): Promise<StreamNow> {
    const info = await this.#foundOrMade()
    const fault = faultOf(info.config, `${this.#prefix}>`)
    if (fault !== undefined)
      throw new NatsError(`The stream ${this.name} ${fault}.`, ErrorCode.InvalidOption)
    this.#subjects = info.config.subjects
    return info
  }

  /** The sequence of the last message that is ours, of a stream as it was just found; 0 if there is none. */
  async lastSequence({ state }: StreamNow): Promise<number> {
    if (!this.isShared) return state.last_seq
    return this.#api.lastSequence(this.name, `${this.#prefix}>`)
  }

  async #foundOrMade(): Promise<StreamNow> {
    try {
      return await this.#api.streamInfo(this.name)
    } catch (error) {
      if (this.#config === undefined || !isStreamNotFound(error)) throw error
      return this.#api.createStream(this.#config)
    }
  }
}

/**
 * Returns a name that a stream can have.
 * @throws {TypeError} if it is none
 */
export function streamNameOf(name: string): string {
  if (STREAM_NAME.test(name)) return name
  throw new TypeError(`${JSON.stringify(name)} is no name for a stream.`)
}

type StreamConfigToMake = Partial<StreamConfig> & { name: string }

function configOf(
  prefix: string,
  { stream, maxAgeMs = HOUR_MS, maxBytes = QUARTER_GIBIBYTE, replicas = 1 }: JetStreamOptions,
): StreamConfigToMake {
  return {
    name: stream,
    subjects: [`${prefix}>`],
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.Old,
    storage: StorageType.File,
    max_age: maxAgeMs * NANOS_PER_MS,
    max_bytes: maxBytes,
    num_replicas: replicas,
  }
}

/** Why a stream cannot be followed by every replica. */
function faultOf(config: StreamConfig, subject: string): string | undefined {
  if (config.retention !== RetentionPolicy.Limits)
    return `has the retention ${config.retention}, which drops messages that other replicas have not read; it must be limits`
  if (config.no_ack) return 'does not acknowledge what is published (no_ack)'
  if (config.sealed) return 'is sealed'
  if (!(config.subjects ?? []).some((own) => overlap(own, subject)))
    return `has no subject within ${subject}`
  return undefined
}
