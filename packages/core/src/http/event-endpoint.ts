import type { Client } from '../clients/client.ts'
import type { ClientRecord, ConnectionInfo } from '../clients/client-store.ts'
import type { Clients } from '../clients/clients.ts'
import type { Connection, Sink } from '../connections/connection.ts'
import type { Connections } from '../connections/connections.ts'
import { StreamerError } from '../errors.ts'
import type { CatchUp } from '../events/catch-up.ts'
import { type CloseReason, closingFrame } from '../events/info-messages.ts'
import { maskId } from '../logger.ts'
import { chosenResponse, type ResolvedOptions } from '../options.ts'
import { covers, topicPatternOf } from '../topic.ts'
import { corsHeaders, preflightHeaders } from './cors.ts'
import { EventStream } from './event-stream.ts'
import { problemResponse } from './problem.ts'

const METHODS = 'GET, HEAD, OPTIONS'
/** How long an accepted stream may wait to be opened. */
const OPEN_TIMEOUT_MS = 30_000
/** How long a request waits for a replica that is not ready. */
const START_TIMEOUT_MS = 1_000

/** What keeps everything between here and the browser from storing, changing or holding back the stream. */
const STREAM_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
}

/** The part of a web-standard `Request` that decides what is answered. */
export interface EventRequest {
  readonly method: string
  readonly url: string
  readonly headers: { get(name: string): string | null }
  /** The whole request, for hooks. @default this object, if it is a `Request` */
  readonly toRequest?: () => Request
}

/** How a request is to be understood. */
export interface AcceptOptions {
  /**
   * The client's id, taken from a cookie or a session, or what takes it; `null` or `undefined` if there is
   * none. @default the query's `id`
   */
  clientId?: string | null | (() => string | undefined | Promise<string | undefined>)
}

/** Decides what a request for the event stream gets; a Streamer does. */
export interface EventAcceptor {
  accept(request: EventRequest, options?: AcceptOptions): Promise<Response | EventStream>
}

/** What the endpoint stands on. */
export interface EventEndpointOptions {
  readonly options: ResolvedOptions
  readonly replica: string
  readonly clients: Clients
  readonly connections: Connections
  readonly catchUp: CatchUp
  /** The sequence behind which a cursor stands here. */
  readonly placeOf: (cursor: string) => number
  readonly start: () => Promise<void>
  readonly isClosing: () => boolean
  readonly onConnect: (event: { clientId: string; connection: ConnectionInfo }) => void
}

/** `GET /events`: decides who gets a stream, and what everybody else is told. */
export class EventEndpoint {
  readonly #on: EventEndpointOptions
  #connectionsMade = 0
  /** Accepted, but not opened yet. */
  #unopened = 0

  constructor(on: EventEndpointOptions) {
    this.#on = on
  }

  async accept(
    request: EventRequest,
    { clientId }: AcceptOptions,
  ): Promise<Response | EventStream> {
    const cors = corsHeaders(this.#on.options.cors, request.headers.get('origin'))
    const query = new URLSearchParams(/\?([^#]*)/.exec(request.url)?.[1])
    try {
      const id = await idOf(query, clientId)
      switch (request.method) {
        case 'GET':
          return await this.#get(request, query, id, cors)
        case 'HEAD':
          return await this.#head(id, cors)
        case 'OPTIONS':
          return preflight(request, cors)
        default:
          return problemResponse(
            new StreamerError(
              'METHOD_NOT_ALLOWED',
              `The event stream is read with GET, not ${request.method}.`,
            ),
            { ...cors, allow: METHODS },
          )
      }
    } catch (error) {
      if (!(error instanceof StreamerError)) throw error
      // A store that was closed knows nobody, which is no reason for a browser to give up.
      if (error.code === 'CLIENT_NOT_FOUND' && this.#on.isClosing())
        return this.#notNow('shutdown', cors)
      return error.retryable ? this.#notNow('not-ready', cors) : problemResponse(error, cors)
    }
  }

  async #get(
    request: EventRequest,
    query: URLSearchParams,
    id: string | null,
    cors: Record<string, string>,
  ): Promise<Response | EventStream> {
    const { options, isClosing } = this.#on
    const anonymous = id === null || id === ''
    const topics = anonymous ? this.#anonymousTopics(query) : []
    if (isClosing()) return this.#notNow('shutdown', cors)
    if (this.#isFull()) return this.#notNow('overloaded', cors)
    await this.#started()
    const lastEventId =
      request.headers.get('last-event-id') || query.get('last_event_id') || undefined
    const { clients, catchUp, placeOf } = this.#on
    if (lastEventId !== undefined) await catchUp.to(lastEventId)
    const from = lastEventId === undefined ? undefined : placeOf(lastEventId)
    const found = anonymous ? await clients.create({ topics }, from) : await clients.get(id)
    try {
      if (lastEventId === undefined) await catchUp.to(found.madeAt)
      await this.#authorize(request, clients.handle(found))
      // Asked again, since others came in the meantime.
      if (this.#isFull()) {
        if (anonymous) await options.store.remove(found.id)
        return this.#notNow('overloaded', cors)
      }
      return await this.#attach(found, cors, {
        lastEventId,
        anonymous,
        envelope: query.get('envelope') === '1',
      })
    } catch (error) {
      if (anonymous) await options.store.remove(found.id)
      throw error
    }
  }

  async #attach(
    found: ClientRecord,
    cors: Record<string, string>,
    asked: { lastEventId: string | undefined; anonymous: boolean; envelope: boolean },
  ): Promise<EventStream> {
    const { options, replica, connections } = this.#on
    const { store, clock, logger } = options
    const connection = { id: String(++this.#connectionsMade), replica, since: clock.wallTime() }
    this.#unopened++
    const record = await this.#attached(found.id, connection)
    let waiting = true
    const abandon = (): void => {
      if (!waiting) return
      waiting = false
      this.#unopened--
      const left = asked.anonymous
        ? store.remove(record.id)
        : store.detach(record.id, connection.id, false)
      left.catch((error: unknown) => logger.error({ err: error }, 'could not note a disconnect'))
    }
    // Whoever was handed the answer may never send it, and a client with a connection does not expire.
    const cancel = clock.after(OPEN_TIMEOUT_MS, abandon)
    const open = (sink: Sink): Connection | undefined => {
      cancel()
      if (!waiting) return undefined
      waiting = false
      this.#unopened--
      const opened = connections.open({
        ...connection,
        ...asked,
        record: asked.anonymous ? { ...record, ttlMs: 0 } : record,
        sink,
      })
      this.#opened(opened, record, connection)
      return opened
    }
    const failed = (error: unknown): void => {
      logger.error({ err: error, client: maskId(record.id) }, 'could not open an event stream')
      abandon()
    }
    return new EventStream({ ...STREAM_HEADERS, ...cors }, { open, abandon, failed })
  }

  async #attached(id: string, connection: ConnectionInfo): Promise<ClientRecord> {
    const { options, clients } = this.#on
    try {
      return (await options.store.attach(id, connection)) ?? (await clients.get(id))
    } catch (error) {
      this.#unopened--
      throw error
    }
  }

  /** A browser is not kept waiting for a start that takes long: it comes back. */
  async #started(): Promise<void> {
    const { options, start } = this.#on
    let cancel: (() => void) | undefined
    const late = new Promise<never>((_, reject) => {
      const notReady = new StreamerError('NOT_READY', 'This replica is still starting.')
      cancel = options.clock.after(START_TIMEOUT_MS, () => reject(notReady))
    })
    try {
      await Promise.race([start(), late])
    } finally {
      cancel?.()
    }
  }

  #isFull(): boolean {
    const { options, connections } = this.#on
    return connections.size + this.#unopened >= options.maxConnections
  }

  #opened(opened: Connection, record: ClientRecord, connection: ConnectionInfo): void {
    const { connections, onConnect, isClosing } = this.#on
    onConnect({ clientId: record.id, connection })
    if (isClosing()) connections.close(opened, 'shutdown', connections.jitteredRetryMs())
    else void this.#catchUp(record)
  }

  /** Brings a connection in step with what happened to its client while it was being opened. */
  async #catchUp(record: ClientRecord): Promise<void> {
    const { options, connections } = this.#on
    try {
      const now = await options.store.find(record.id)
      if (now === undefined) {
        connections.clientRemoved(record.id, 'removed')
      } else {
        const added = [...now.topics.keys()].filter((topic) => !record.topics.has(topic))
        const removed = [...record.topics.keys()].filter((topic) => !now.topics.has(topic))
        connections.topicsChanged(now, { added, removed })
      }
    } catch (error) {
      options.logger.error(
        { err: error, client: maskId(record.id) },
        'could not read a client again',
      )
    }
  }

  async #head(id: string | null, cors: Record<string, string>): Promise<Response> {
    const { options, clients } = this.#on
    if (id !== null && id !== '') {
      await this.#started()
      await clients.get(id)
    } else if (options.anonymous === false) {
      throw idRequired()
    }
    return new Response(null, { headers: { ...STREAM_HEADERS, ...cors } })
  }

  #anonymousTopics(query: URLSearchParams): string[] {
    const { anonymous } = this.#on.options
    if (anonymous === false) throw idRequired()
    const topics = query.getAll('topic').map(topicPatternOf)
    for (const topic of topics) {
      if (anonymous.topics.some((allowed) => covers(allowed, topic))) continue
      throw new StreamerError(
        'FORBIDDEN',
        `Anonymous clients may not have ${JSON.stringify(topic)}.`,
      )
    }
    return topics
  }

  async #authorize(request: EventRequest, client: Client): Promise<void> {
    const { authorizeConnection, logger } = this.#on.options
    if (authorizeConnection === undefined) return
    let verdict: boolean | Response = false
    try {
      verdict = await authorizeConnection({
        request: request.toRequest?.() ?? (request as Request),
        client,
      })
    } catch (error) {
      logger.error({ err: error, client: maskId(client.id) }, 'authorizeConnection threw: refused')
    }
    if (verdict === true) return
    throw new StreamerError('FORBIDDEN', 'This request may not read the stream of the client.', {
      ...chosenResponse(verdict),
    })
  }

  /**
   * A stream that ends at once and says when to come back.
   * [spec] any status but 200 makes an EventSource give up for good.
   */
  #notNow(reason: CloseReason, cors: Record<string, string>): Response {
    const frame = closingFrame(reason, this.#on.connections.jitteredRetryMs())
    return new Response(frame.bare.toString(), { headers: { ...STREAM_HEADERS, ...cors } })
  }
}

async function idOf(
  query: URLSearchParams,
  clientId: AcceptOptions['clientId'],
): Promise<string | null> {
  if (clientId === undefined) return query.get('id')
  return (typeof clientId === 'function' ? await clientId() : clientId) ?? null
}

function preflight(request: EventRequest, cors: Record<string, string>): Response {
  const allowed = 'access-control-allow-origin' in cors
  const requested = request.headers.get('access-control-request-headers')
  const headers = { ...cors, allow: METHODS, ...(allowed && preflightHeaders(METHODS, requested)) }
  return new Response(null, { status: 204, headers })
}

function idRequired(): StreamerError {
  return new StreamerError(
    'CLIENT_ID_REQUIRED',
    'The query has no `id` of a client, as in /events?id=….',
  )
}
