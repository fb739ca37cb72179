import type { BrokerSubscriptions } from '../broker/broker-subscriptions.ts'
import { Client } from './client.ts'
import type { ClientRecord, NewClient } from './client-store.ts'
import type { TopicPattern } from '../driver.ts'
import { StreamerError } from '../errors.ts'
import { maskId } from '../logger.ts'
import { chosenResponse, milliseconds, type ResolvedOptions } from '../options.ts'
import { isPattern, topicPatternOf } from '../topic.ts'
import type { Window } from '../events/window.ts'

const NO_METADATA = Object.freeze({})
const CLIENT_ID = /^[A-Za-z0-9_.~-]{1,128}$/

/** What a client is made with. */
export interface NewClientOptions {
  /** 1 to 128 of `[A-Za-z0-9_.~-]`. Whoever knows it may connect. @default a random UUID */
  id?: string
  /** Topics and patterns, beside `defaultTopics`. @default [] */
  topics?: readonly string[]
  /** How long it lives without a connection, in milliseconds. @default the Streamer's `clientTtlMs` */
  ttlMs?: number
  /** A JSON object that the application keeps with it. @default {} */
  metadata?: Readonly<Record<string, unknown>>
}

/** Several changes of a client's subscriptions, of which it is told once. */
export interface SubscriptionsChange {
  readonly subscribe?: readonly string[]
  readonly unsubscribe?: readonly string[]
}

/** Makes clients and changes their topics: checked, authorized, and answered once the broker delivers. */
export class Clients {
  readonly #options: ResolvedOptions
  readonly #window: Window
  readonly #broker: BrokerSubscriptions

  constructor(options: ResolvedOptions, window: Window, broker: BrokerSubscriptions) {
    this.#options = options
    this.#window = window
    this.#broker = broker
  }

  /** Makes a client whose topics hold from the sequence `from` on, or from now. */
  async create(options: NewClientOptions, from?: number): Promise<ClientRecord> {
    const { defaultTopics, clientTtlMs, store, newId } = this.#options
    const { id = newId(), ttlMs = clientTtlMs, metadata = NO_METADATA } = options
    if (typeof id !== 'string' || !CLIENT_ID.test(id)) {
      throw new StreamerError(
        'INVALID_REQUEST',
        '`id` is not 1 to 128 characters of [A-Za-z0-9_.~-].',
      )
    }
    const asked = (options.topics ?? []).map((topic) => this.#checkedTopic(topic))
    const topics = [...new Set([...defaultTopics, ...asked])]
    const checked = { id, ttlMs: milliseconds('ttlMs', ttlMs), metadata: metadataOf(metadata) }
    const isIdChosen = options.id !== undefined
    const made = (): NewClient => ({
      ...checked,
      isIdChosen,
      topics: new Map(topics.map((topic) => [topic, from ?? this.#window.head])),
      madeAt: this.#window.cursorAt(this.#window.head),
    })
    await this.#authorize({ ...made(), wasConnected: false, connections: [] }, asked)
    const release = await this.#broker.hold(topics)
    try {
      return await store.create(made())
    } finally {
      release()
    }
  }

  /** Changes a client's topics and returns those that it has then, sorted. */
  async change(id: string, change: SubscriptionsChange): Promise<string[]> {
    const wanted = [...new Set((change.subscribe ?? []).map((topic) => this.#checkedTopic(topic)))]
    const unwanted = (change.unsubscribe ?? [])
      .map(topicPatternOf)
      .filter((topic) => !wanted.includes(topic))
    const record = await this.get(id)
    const added = wanted.filter((topic) => !record.topics.has(topic))
    await this.#authorize(record, added)
    const release = await this.#broker.hold(wanted)
    try {
      // Also of what it has already, as far as is known here: another replica may know that it has it no more.
      const since = new Map(wanted.map((topic) => [topic, this.#window.head]))
      const changed = (await this.#options.store.changeTopics(id, since, unwanted)) ?? notFound(id)
      return [...changed.topics.keys()].toSorted()
    } finally {
      release()
    }
  }

  /** @throws {StreamerError} `CLIENT_NOT_FOUND` */
  async get(id: string): Promise<ClientRecord> {
    return (await this.#options.store.find(id)) ?? notFound(id)
  }

  /** A record as the application sees it. */
  handle(record: ClientRecord): Client {
    return new Client(record, (id) => this.#options.store.remove(id))
  }

  #checkedTopic(topic: string): TopicPattern {
    const checked = topicPatternOf(topic)
    const { capabilities, name } = this.#options.driver
    if (isPattern(checked) && !capabilities.patterns) {
      throw new StreamerError(
        'NOT_SUPPORTED_BY_DRIVER',
        `The driver ${name} has no patterns: subscribe to topics.`,
      )
    }
    return checked
  }

  async #authorize(record: ClientRecord, topics: readonly string[]): Promise<void> {
    const { authorizeSubscription, logger } = this.#options
    if (authorizeSubscription === undefined) return
    const client = this.handle(record)
    for (const topic of topics) {
      let verdict: boolean | Response = false
      try {
        verdict = await authorizeSubscription({ client, topic })
      } catch (error) {
        logger.error(
          { err: error, client: maskId(client.id), topic },
          'authorizeSubscription threw: refused',
        )
      }
      if (verdict === true) continue
      throw new StreamerError('FORBIDDEN', `The client may not have ${JSON.stringify(topic)}.`, {
        ...chosenResponse(verdict),
      })
    }
  }
}

function metadataOf(metadata: unknown): Readonly<Record<string, unknown>> {
  if (metadata === NO_METADATA) return NO_METADATA
  if (typeof metadata === 'object' && metadata !== null && !Array.isArray(metadata)) {
    try {
      return JSON.parse(JSON.stringify(metadata)) as Record<string, unknown>
    } catch {
      // Refused below, with all else that JSON cannot say.
    }
  }
  throw new StreamerError('INVALID_REQUEST', '`metadata` is not a JSON object.')
}

function notFound(id: string): never {
  throw new StreamerError(
    'CLIENT_NOT_FOUND',
    `There is no client ${maskId(id)}: it expired, was removed, or never was.`,
  )
}
