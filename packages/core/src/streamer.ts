import { BrokerSubscriptions } from './broker/broker-subscriptions.ts'
import type { Client } from './clients/client.ts'
import type { ClientQuery, ClientStoreHost, Page } from './clients/client-store.ts'
import { storeHost } from './clients/store-host.ts'
import { Clients, type NewClientOptions, type SubscriptionsChange } from './clients/clients.ts'
import type { Connection } from './connections/connection.ts'
import { Connections } from './connections/connections.ts'
import type { DriverStatus, TopicPattern } from './driver.ts'
import { StreamerError } from './errors.ts'
import { CatchUp } from './events/catch-up.ts'
import { FlowCursors } from './events/flow-cursors.ts'
import { LogCursors } from './events/log-cursors.ts'
import { type AcceptOptions, EventEndpoint, type EventRequest } from './http/event-endpoint.ts'
import { EventStream } from './http/event-stream.ts'
import { type NodeListener, nodeListener } from './http/node-listener.ts'
import { problemResponse } from './http/problem.ts'
import {
  controlTopic,
  DIRECT_TOPIC,
  type PublishData,
  type PublishItem,
  type PublishOptions,
} from './broker/message.ts'
import { resolveOptions, type ResolvedOptions, type StreamerOptions } from './options.ts'
import { Publisher, type PublishResult } from './broker/publisher.ts'
import { Relay } from './broker/relay.ts'
import type { DriverState, StreamerStatus } from './status.ts'
import { Window } from './events/window.ts'

const HOUSEKEEPING_MS = 1_000

/**
 * Relays messages from a broker to browsers. All methods that read or change clients mean the clients of
 * all replicas.
 *
 * @example
 * const streamer = new Streamer({ driver: memoryDriver() })
 * createServer(streamer.listener).listen(8080)
 * const client = await streamer.newClient({ topics: ['news'] }) // in the browser: EventSource(`/?id=${client.id}`)
 * await streamer.publish('news', { title: 'Hello' })
 */
export class Streamer {
  /** Id of this replica: its name, if it has one, and a random start id. */
  readonly replica: string
  /** Bounds on what may be published, for those who read it from elsewhere. */
  readonly limits: { readonly maxPayloadBytes: number }
  readonly #options: ResolvedOptions
  readonly #cursors: FlowCursors
  readonly #window: Window
  readonly #broker: BrokerSubscriptions
  readonly #clients: Clients
  readonly #publisher: Publisher
  readonly #connections: Connections
  readonly #relay: Relay
  readonly #endpoint: EventEndpoint
  readonly #host: ClientStoreHost
  #driverState: DriverState = 'idle'
  #opened = false
  #isReady = false
  #starting: Promise<void> | undefined
  #closing: Promise<void> | undefined
  #cancelHousekeeping: (() => void) | undefined

  /** @throws {StreamerError} `INVALID_REQUEST` with the name of the option */
  constructor(options: StreamerOptions) {
    const resolved = resolveOptions(options)
    const { driver, clock, logger, lingerMs, windowMs: maxMs, windowBytes: maxBytes } = resolved
    this.#options = resolved
    const start = resolved.newId()
    this.replica = resolved.name === undefined ? start : `${resolved.name}.${start}`
    this.limits = { maxPayloadBytes: resolved.maxPayloadBytes }
    const overlapBeats = Math.ceil(resolved.overlapMs / resolved.beatMs)
    this.#cursors = new FlowCursors({ replica: this.replica, clock, maxMs, overlapBeats })
    const logs = driver.capabilities.positions ? this.#logCursors() : undefined
    const cursors = logs ?? this.#cursors
    this.#window = new Window({
      clock,
      cursors,
      isWhole: logs !== undefined,
      isShared: resolved.store.isShared,
      maxMs,
      maxBytes,
    })
    this.#broker = new BrokerSubscriptions({
      driver,
      clock,
      logger,
      lingerMs,
      onAsked: (topic) => this.#window.asked(topic),
      onEstablished: (topic, again) => this.#topicEstablished(topic, again),
      onReleased: (topic) => this.#window.incomplete(topic),
    })
    this.#clients = new Clients(resolved, this.#window, this.#broker)
    this.#publisher = new Publisher(resolved)
    this.#connections = new Connections(resolved, this.#window, (connection) =>
      this.#disconnected(connection),
    )
    this.#relay = new Relay({
      options: resolved,
      window: this.#window,
      connections: this.#connections,
      logs,
      onControl: (message) => resolved.store.receive(message),
      onStatus: (status) => this.#driverSaid(status),
    })
    this.#host = storeHost({
      replica: this.replica,
      options: resolved,
      broker: this.#broker,
      connections: this.#connections,
      window: this.#window,
      cursors: this.#cursors,
      relay: this.#relay,
      onExpire: (record) => this.#tell('onExpire', { client: this.#clients.handle(record) }),
    })
    this.#endpoint = new EventEndpoint({
      options: resolved,
      replica: this.replica,
      clients: this.#clients,
      connections: this.#connections,
      catchUp: new CatchUp({ driver, cursors, clock }),
      placeOf: (cursor) => this.#window.place(cursor).start.sequence,
      start: () => this.start(),
      isClosing: () => this.#closing !== undefined,
      onConnect: (event) => this.#tell('onConnect', event),
    })
  }

  /**
   * Connects to the broker. Optional: the first use does it. A second call returns the same promise,
   * and one after a failure tries again.
   * @throws {StreamerError} `BROKER_UNAVAILABLE`, `CLOSING`
   */
  start(): Promise<void> {
    if (this.#closing !== undefined) return Promise.reject(closing())
    this.#starting ??= this.#start().catch((error: unknown) => {
      this.#starting = undefined
      throw error
    })
    return this.#starting
  }

  /**
   * Makes a client. What is published to its topics from now on reaches it, once it connects.
   * @throws {StreamerError} `CLIENT_EXISTS`, `INVALID_REQUEST`, `INVALID_TOPIC`, `NOT_SUPPORTED_BY_DRIVER`,
   * `FORBIDDEN`, `SUBSCRIPTION_FAILURE`
   */
  async newClient(options: NewClientOptions = {}): Promise<Client> {
    await this.start()
    return this.#clients.handle(await this.#clients.create(options))
  }

  /** The client with that id as it is now, if there is one. */
  async getClient(id: string): Promise<Client | undefined> {
    await this.start()
    const record = await this.#options.store.find(id)
    return record && this.#clients.handle(record)
  }

  /** Removes a client and closes its connections; resolves with whether there was one. */
  async removeClient(id: string): Promise<boolean> {
    await this.start()
    return this.#options.store.remove(id)
  }

  /**
   * Gives a client topics or patterns, and resolves with all that it has. What is published afterwards
   * reaches it.
   * @throws {StreamerError} `CLIENT_NOT_FOUND`, `INVALID_TOPIC`, `NOT_SUPPORTED_BY_DRIVER`, `FORBIDDEN`,
   * `SUBSCRIPTION_FAILURE`
   */
  subscribe(id: string, topics: string | readonly string[]): Promise<string[]> {
    return this.changeSubscriptions(id, { subscribe: [topics].flat() })
  }

  /**
   * Takes topics or patterns from a client, and resolves with those that it still has.
   * @throws {StreamerError} `CLIENT_NOT_FOUND`, `INVALID_TOPIC`
   */
  unsubscribe(id: string, topics: string | readonly string[]): Promise<string[]> {
    return this.changeSubscriptions(id, { unsubscribe: [topics].flat() })
  }

  /** `unsubscribe` and then `subscribe` as one change, of which the client is told once. */
  async changeSubscriptions(id: string, change: SubscriptionsChange): Promise<string[]> {
    await this.start()
    return this.#clients.change(id, change)
  }

  /**
   * Publishes to all clients that have the topic, on every replica, and to every other reader of the
   * broker. Resolves once the broker has accepted the message, with its id.
   * @throws {StreamerError} `INVALID_TOPIC`, `INVALID_REQUEST`, `PAYLOAD_TOO_LARGE`, `NOT_SUPPORTED_BY_DRIVER`,
   * `BROKER_UNAVAILABLE`, `CLOSING`
   */
  publish(topic: string, data: PublishData, options?: PublishOptions): Promise<{ id: string }>
  /** Publishes several in their order, and resolves with what became of each. */
  publish(messages: readonly PublishItem[]): Promise<PublishResult[]>
  async publish(
    first: string | readonly PublishItem[],
    data?: PublishData,
    options: PublishOptions = {},
  ): Promise<{ id: string } | PublishResult[]> {
    await this.start()
    if (Array.isArray(first)) return this.#publisher.publishAll(first as readonly PublishItem[])
    return this.#publisher.publish(first as string, data!, options)
  }

  /**
   * Sends a message to one client, wherever it is connected; it is resumed like any event.
   * @throws {StreamerError} `CLIENT_NOT_FOUND`, and what `publish` throws
   */
  async send(id: string, data: PublishData, options: PublishOptions = {}): Promise<{ id: string }> {
    await this.start()
    await this.#clients.get(id)
    return this.#publisher.send(id, data, options)
  }

  /** How many clients there are, connected or not. */
  async totalClients(): Promise<number> {
    await this.start()
    return this.#options.store.count()
  }

  /** Lists clients, a page at a time. */
  async clients(query: ClientQuery = {}): Promise<Page<Client>> {
    await this.start()
    const { items, ...next } = await this.#options.store.list(query)
    return { items: items.map((record) => this.#clients.handle(record)), ...next }
  }

  /** Lists the topics and patterns that clients have, sorted, and how many have each. */
  async topics(
    query: Pick<ClientQuery, 'after' | 'limit'> = {},
  ): Promise<Page<{ topic: TopicPattern; subscribers: number }>> {
    await this.start()
    return this.#options.store.topics(query)
  }

  /** How this replica is doing. */
  async status(): Promise<StreamerStatus> {
    const { driver, store } = this.#options
    const { size: connections, eventsOut, slowConsumers } = this.#connections
    const { isReady, replicas } = store.status()
    return {
      replica: this.replica,
      driver: { name: driver.name, state: this.#driverState },
      closing: this.#closing !== undefined,
      ready: this.#isReady && isReady,
      replicas,
      clients: await store.count(),
      connections,
      brokerSubscriptions: this.#broker.size,
      counters: { ...this.#relay.counters, eventsOut, slowConsumers },
      window: this.#window.status(),
    }
  }

  /** Answers a request for the event stream on any runtime with web-standard requests. Never rejects. */
  readonly fetch = async (request: Request, options?: AcceptOptions): Promise<Response> => {
    const answer = await this.accept(request, options)
    return answer instanceof EventStream ? answer.toResponse() : answer
  }

  /** The same for `node:http`, `node:https` and `node:http2` servers, and for Express. */
  readonly listener: NodeListener = nodeListener(this)

  /**
   * Decides what a request for the event stream gets: an answer, or a stream that is still to be opened.
   * For those who mount Asbru in a framework; others use `fetch` or `listener`. Never rejects.
   */
  async accept(
    request: EventRequest,
    options: AcceptOptions = {},
  ): Promise<Response | EventStream> {
    try {
      return await this.#endpoint.accept(request, options)
    } catch (error) {
      this.#options.logger.error({ err: error }, 'could not answer a request for the event stream')
      return problemResponse(error)
    }
  }

  /** Ends all connections over `drainMs`, so that browsers go elsewhere, then closes the driver. Idempotent. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #start(): Promise<void> {
    const { driver, store, namespace, clock } = this.#options
    if (!this.#opened) {
      await this.#openDriver()
      this.#opened = true
    }
    if (this.#closing !== undefined) throw closing()
    const own = store.isShared
      ? [controlTopic(namespace), controlTopic(namespace, this.replica)]
      : []
    await this.#broker.hold([DIRECT_TOPIC, ...own])
    await store.open(this.#host)
    await this.#broker.settled()
    if (store.isShared && !driver.capabilities.positions) await this.#cursors.ready()
    if (this.#closing !== undefined) throw closing()
    this.#isReady = true
    const keepHouse = (): void => {
      this.#window.dropOld()
      this.#cancelHousekeeping = clock.after(HOUSEKEEPING_MS, keepHouse)
    }
    keepHouse()
  }

  async #openDriver(): Promise<void> {
    const { driver, namespace, windowMs: backlogMs } = this.#options
    try {
      await driver.open(this.#relay, { replica: this.replica, namespace, backlogMs })
    } catch (cause) {
      if (this.#closing !== undefined) throw closing()
      const message = `The driver ${driver.name} could not be opened; try again.`
      throw new StreamerError('BROKER_UNAVAILABLE', message, { driver: driver.name, cause })
    }
  }

  async #close(): Promise<void> {
    const { driver, store, drainMs, logger } = this.#options
    await this.#connections.drain(drainMs)
    this.#cancelHousekeeping?.()
    try {
      await store.close()
    } catch (error) {
      logger.warn({ err: error }, 'the store did not close in order')
    }
    this.#broker.close()
    try {
      await driver.close()
    } catch (error) {
      logger.warn({ err: error }, 'the driver did not close in order')
    }
    this.#driverState = 'closed'
  }

  #logCursors(): LogCursors {
    const { driver, logger } = this.#options
    return new LogCursors({
      own: this.#cursors,
      onTooMany: (logs) =>
        logger.warn(
          { driver: driver.name, logs },
          'the places of so many logs do not fit into a cursor: clients resume on their own replica alone',
        ),
    })
  }

  #driverSaid(status: DriverStatus): void {
    this.#options.store.driverSaid(status)
    if (status.type === 'connected' || status.type === 'reconnecting' || status.type === 'closed') {
      this.#driverState = status.type
    } else if (status.type === 'topicFailed') {
      this.#relay.topicFailed(status.topic)
      this.#broker.lost(status.topic)
    }
    const { logger, driver } = this.#options
    logger.info({ driver: driver.name, ...status }, 'driver status')
    this.#tell('onStatus', status)
  }

  #topicEstablished(topic: TopicPattern, again: boolean): void {
    if (again) this.#relay.status({ type: 'gap', reason: 'messages-dropped', topics: [topic] })
    this.#window.completeFromNow(topic)
  }

  #disconnected({ client, id, since, anonymous }: Connection): void {
    const { store, logger } = this.#options
    const left = anonymous ? store.remove(client.id) : store.detach(client.id, id, true)
    left.catch((error: unknown) => logger.error({ err: error }, 'could not note a disconnect'))
    this.#tell('onDisconnect', {
      clientId: client.id,
      connection: { id, replica: this.replica, since },
    })
  }

  #tell<Name extends 'onStatus' | 'onConnect' | 'onDisconnect' | 'onExpire'>(
    name: Name,
    event: Parameters<NonNullable<StreamerOptions[Name]>>[0],
  ): void {
    try {
      ;(this.#options[name] as ((told: typeof event) => void) | undefined)?.(event)
    } catch (error) {
      this.#options.logger.error({ err: error }, `${name} threw`)
    }
  }
}

function closing(): StreamerError {
  return new StreamerError('CLOSING', 'The Streamer is closed or closing: ask another replica.')
}
