import { type ClientRecord, FROM_BEGINNING, type TopicsChange } from '../clients/client-store.ts'
import { type ConnectedClient, Connection, type ConnectionOwner, type Sink } from './connection.ts'
import { isEchoable, type Placed } from '../events/cursor.ts'
import type { Frame } from '../events/encode-event.ts'
import type { Gap, RelayEvent, TopicError } from '../events/event.ts'
import { FanOut } from './fan-out.ts'
import {
  closingFrame,
  type CloseReason,
  firstFrame,
  gapFrame,
  keepaliveFrame,
  subscriptionsFrame,
} from '../events/info-messages.ts'
import { KeepaliveWheel } from './keepalive.ts'
import { maskId } from '../logger.ts'
import { directName, nameFor } from '../events/naming.ts'
import type { ResolvedOptions } from '../options.ts'
import { concerns, replay } from '../events/replay.ts'
import { TopicIndex } from './topic-index.ts'
import type { Window } from '../events/window.ts'

/** A tab that was pushed out by another comes back after an hour, or the two would push each other for ever. */
const EVICTED_RETRY_MS = 3_600_000
/** How long an ended response may take to leave before its socket is closed. */
const END_TIMEOUT_MS = 2_000

/** A connection that is about to be opened. */
export interface NewConnection {
  readonly id: string
  /** Milliseconds since 1970. */
  readonly since: number
  /** The client as it was before this connection. */
  readonly record: ClientRecord
  readonly sink: Sink
  readonly envelope: boolean
  /** What the browser sent to resume from. */
  readonly lastEventId: string | undefined
  /** Whether the client ends with it. */
  readonly anonymous: boolean
}

/** The open connections of this replica: from an event to the sockets of those who want it. */
export class Connections implements ConnectionOwner {
  readonly #options: ResolvedOptions
  readonly #window: Window
  readonly #onClosed: (connection: Connection) => void
  readonly #fanOut: FanOut
  readonly #wheel: KeepaliveWheel
  readonly #index = new TopicIndex<Connection>()
  readonly #clients = new Map<string, ConnectedClient>()
  /** Clients whose last connection could not keep up, and who were not told yet. */
  readonly #slow = new Set<string>()
  #open = 0
  /** Events written or queued for a connection, since the start. */
  eventsOut = 0
  /** Connections closed because their queue was full, since the start. */
  slowConsumers = 0

  constructor(
    options: ResolvedOptions,
    window: Window,
    onClosed: (connection: Connection) => void,
  ) {
    this.#options = options
    this.#window = window
    this.#onClosed = onClosed
    const { clock, maxQueueBytes, keepaliveMs: intervalMs } = options
    this.#fanOut = new FanOut({
      clock,
      maxQueueBytes,
      onFull: (connection) => this.#dropSlow(connection),
    })
    this.#wheel = new KeepaliveWheel({ clock, intervalMs, send: (quiet) => this.#keepAlive(quiet) })
  }

  /** How many are open. */
  get size(): number {
    return this.#open
  }

  /** Writes the first message, then what the client missed, then all that comes. */
  open({ record, lastEventId, ...values }: NewConnection): Connection {
    const client = this.#clientOf(record)
    const connection = new Connection({ ...values, client, owner: this })
    connection.lastWriteAt = this.#options.clock.now()
    // Not by a spread, which makes room for sixteen more.
    client.connections = client.connections.concat(connection)
    this.#open++
    if (client.connections.length > this.#options.maxConnectionsPerClient) {
      this.close(client.connections[0]!, 'too-many-connections', EVICTED_RETRY_MS)
    }
    const { start, gap, cursor } = this.#startOf(record, lastEventId)
    this.#push(
      connection,
      firstFrame({
        clientId: record.id,
        ttlMs: record.ttlMs,
        topics: [...record.topics.keys()].toSorted(),
        retryMs: this.jitteredRetryMs(),
        ...(cursor !== undefined && { cursor }),
      }),
    )
    if (this.#slow.delete(client.id)) this.#push(connection, closingFrame('slow-consumer'))
    if (gap !== undefined) this.#push(connection, gapFrame(gap, this.#window.cursorOf(start)))
    this.#fanOut.flush(connection)
    replay({
      window: this.#window,
      naming: this.#options.eventNames,
      connection,
      start,
      isTold: gap !== undefined,
      onLive: () => this.#goLive(connection),
    })
    return connection
  }

  /** Ends a connection behind what it has pending. */
  close(connection: Connection, reason: CloseReason, retryMs?: number): void {
    if (connection.closed) return
    this.#push(connection, closingFrame(reason, retryMs))
    this.#fanOut.flush(connection)
    const { sink } = connection
    this.closed(connection)
    sink.end()
    this.#options.clock.after(END_TIMEOUT_MS, () => sink.destroy())
  }

  /** Forgets a connection whose transport is gone. */
  closed(connection: Connection): void {
    if (connection.closed) return
    connection.closed = true
    this.#open--
    const { client } = connection
    for (const topic of client.record.topics.keys()) this.#index.delete(topic, connection)
    this.#wheel.delete(connection)
    client.connections = client.connections.filter((other) => other !== connection)
    if (client.connections.length === 0) this.#clients.delete(client.id)
    this.#onClosed(connection)
  }

  /** Gives an event to everyone who wants it, once each. */
  deliver(event: RelayEvent): void {
    if (event.to !== undefined) {
      this.#deliverDirect(event, event.to)
      return
    }
    const groups = this.#index.match(event.topic)
    const several = groups.length > 1
    for (const group of groups) {
      const name = nameFor(event, group.subscription, this.#options.eventNames)
      const { members } = group
      for (let i = 0; i < members.length; i++) {
        const connection = members[i]!
        if (several) {
          if (connection.lastEvent === event) continue
          connection.lastEvent = event
        }
        this.eventsOut++
        this.#fanOut.push(
          connection,
          connection.envelope ? event.envelope(name) : event.frame(name),
        )
        // A full connection was closed, and another stands in its place.
        if (connection.closed) i--
      }
    }
    event.settle()
  }

  /** Tells the subscribers of a topic why an event of it does not come. */
  tellError(error: TopicError): void {
    const group = this.#index.group(error.topic)
    const groups = error.ofSubscription ? [group] : this.#index.match(error.topic)
    const members = new Set(groups.flatMap((each) => each?.members ?? []))
    for (const connection of members) this.#push(connection, error.frame)
  }

  /** Tells everyone whom a gap concerns. */
  tellGap(gap: Gap): void {
    const { topics, to } = gap
    for (const client of to === undefined ? this.#clients.values() : [this.#clients.get(to)]) {
      if (client === undefined) continue
      const own = client.record.topics
      if (topics?.some((topic) => concerns(own, topic)) === false) continue
      for (const connection of client.connections)
        if (!connection.replaying) this.#push(connection, gap.frame)
    }
  }

  /** Brings a client's connections in step with its topics. */
  topicsChanged(
    record: ClientRecord,
    { added, removed }: Pick<TopicsChange, 'added' | 'removed'>,
  ): void {
    const client = this.#clients.get(record.id)
    if (client === undefined) return
    client.record = record
    if (added.length + removed.length === 0) return
    const frame = subscriptionsFrame([...record.topics.keys()].toSorted())
    // A copy, since one that is full leaves the list on the way.
    for (const connection of client.connections) {
      for (const topic of removed) this.#index.delete(topic, connection)
      if (!connection.replaying) for (const topic of added) this.#index.add(topic, connection)
      this.#push(connection, frame)
    }
  }

  /** Closes all connections of a client that is no more. */
  clientRemoved(id: string, reason: 'removed' | 'expired'): void {
    this.#slow.delete(id)
    for (const connection of this.#clients.get(id)?.connections ?? [])
      this.close(connection, reason)
  }

  /** Ends one connection of a client. */
  evict(clientId: string, connectionId: string, reason: 'too-many-connections' | 'removed'): void {
    const connections = this.#clients.get(clientId)?.connections
    const connection = connections?.find(({ id }) => id === connectionId)
    if (connection === undefined) return
    this.close(connection, reason, reason === 'removed' ? undefined : EVICTED_RETRY_MS)
  }

  /** Ends all connections, each at a random time within `ms`. */
  async drain(ms: number): Promise<void> {
    const { clock, random } = this.#options
    const all = [...this.#clients.values()].flatMap((client) => client.connections)
    const ended = all.map(
      (connection) =>
        new Promise<void>((resolve) => {
          const end = (): void => {
            this.close(connection, 'shutdown', this.jitteredRetryMs())
            resolve()
          }
          clock.after(Math.floor(random() * ms), end, true)
        }),
    )
    await Promise.all(ended)
  }

  /** Reconnection time for browsers, spread so that they do not all come back at once. */
  jitteredRetryMs(): number {
    return Math.round(this.#options.retryMs * (0.75 + this.#options.random() / 2))
  }

  #deliverDirect(event: RelayEvent, to: string): void {
    const frame = event.frame(directName(event))
    for (const connection of this.#clients.get(to)?.connections ?? []) {
      if (connection.replaying) continue
      this.eventsOut++
      this.#push(connection, frame)
    }
  }

  #goLive(connection: Connection): void {
    connection.replaying = false
    connection.lastWriteAt = this.#options.clock.now()
    for (const topic of connection.client.record.topics.keys()) this.#index.add(topic, connection)
    this.#wheel.add(connection)
  }

  #push(connection: Connection, frame: Frame): void {
    if (!connection.closed) this.#fanOut.push(connection, frame)
  }

  #keepAlive(quiet: readonly Connection[]): void {
    const frame = keepaliveFrame(this.#window.cursorAt(this.#window.head))
    for (const connection of quiet)
      if (connection.sink.queuedBytes === 0) this.#push(connection, frame)
  }

  #dropSlow(connection: Connection): void {
    const { client, sink } = connection
    const fields = { client: maskId(client.id), queuedBytes: sink.queuedBytes }
    this.#options.logger.warn(fields, 'closed a connection that cannot keep up')
    this.slowConsumers++
    this.#slow.add(client.id)
    this.closed(connection)
    sink.destroy()
  }

  #clientOf(record: ClientRecord): ConnectedClient {
    let client = this.#clients.get(record.id)
    if (client === undefined) {
      client = { id: record.id, record, connections: [] }
      this.#clients.set(record.id, client)
    }
    return client
  }

  /** Where a connection's stream starts, the cursor for its first message, and what must be told first. */
  #startOf(record: ClientRecord, lastEventId: string | undefined): Placed & { cursor?: string } {
    const window = this.#window
    const isFirst = !record.wasConnected && record.connections.length === 0
    if (lastEventId === undefined && !isFirst) {
      const cursor = window.cursorAt(window.head)
      return { start: { sequence: window.head }, cursor }
    }
    const isFromBirth = lastEventId === undefined || lastEventId === 'earliest'
    const cursor = isFromBirth ? record.madeAt : lastEventId
    const placed = window.place(cursor)
    // A replica that heard of all its topics in time has everything, also if it is too young for the cursor.
    const isWhole = placed.gap === 'replica-started' && isFromBirth && isHeardInTime(record)
    return {
      ...(isWhole ? { start: { sequence: 0 } } : placed),
      ...(isEchoable(cursor) && { cursor }),
    }
  }
}

function isHeardInTime({ topics }: ClientRecord): boolean {
  return topics.size > 0 && [...topics.values()].every((since) => since > FROM_BEGINNING)
}
