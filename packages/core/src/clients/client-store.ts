import type { Clock } from '../clock.ts'
import type { DriverStatus, TopicPattern } from '../driver.ts'
import type { Logger } from '../logger.ts'

/** One open response of a client, as others see it. */
export interface ConnectionInfo {
  readonly id: string
  /** Id of the replica that holds it. */
  readonly replica: string
  /** When it was opened, in milliseconds since 1970. */
  readonly since: number
}

/** As the sequence after which a subscription holds: all that the window has is the client's. */
export const FROM_BEGINNING = -1

/** What is known of a client. Records are never changed, only replaced. */
export interface ClientRecord {
  readonly id: string
  /** How long it lives without a connection, in milliseconds. */
  readonly ttlMs: number
  /** What the application keeps with it: a JSON object. */
  readonly metadata: Readonly<Record<string, unknown>>
  /** Its topics and patterns, each with the sequence of this replica's window after which it holds, or {@link FROM_BEGINNING}. */
  readonly topics: ReadonlyMap<TopicPattern, number>
  /** The cursor at which it was made; any replica can read it. */
  readonly madeAt: string
  /** Whether it had a connection, on any replica, that is over. */
  readonly wasConnected: boolean
  /** On all replicas, oldest first. */
  readonly connections: readonly ConnectionInfo[]
}

/** A client that is to be made. */
export interface NewClient extends Pick<
  ClientRecord,
  'id' | 'ttlMs' | 'metadata' | 'topics' | 'madeAt'
> {
  /** Whether the caller chose the id: others may choose it at the same time. */
  readonly isIdChosen: boolean
}

/** A change of a client's topics. */
export interface TopicsChange {
  readonly added: readonly TopicPattern[]
  readonly removed: readonly TopicPattern[]
  /** Whether the change may have been answered before this replica knew of it: messages of `added` may be missing. */
  readonly isLate: boolean
}

/** Which clients to list, and from where. */
export interface ClientQuery {
  /** Only those with exactly this topic or pattern. */
  readonly topic?: string
  readonly connected?: boolean
  /** The `next` of the page before. */
  readonly after?: string
  /** How many at most, 1 to 1,000. @default 100 */
  readonly limit?: number
}

/** One page of a list; `next` is there when there is more. */
export interface Page<Item> {
  readonly items: Item[]
  readonly next?: string
}

/** The Streamer, as its store sees it. None of what it tells back throws or blocks. */
export interface ClientStoreHost {
  /** Id of this replica: its name and a start id, random and new at every start. */
  readonly replica: string
  /** A new start under an old name ends the older one's connections. */
  readonly name: string
  readonly namespace: string
  readonly clock: Clock
  readonly logger: Logger
  /** 0 to 1. */
  readonly random: () => number
  /** How long a client lives without a connection, if it was not made otherwise, in milliseconds. */
  readonly clientTtlMs: number
  /** Open connections of one client on all replicas, at most. */
  readonly maxConnectionsPerClient: number
  /** Told of every change, wherever it was made, before the call that made it resolves. */
  changed(record: ClientRecord, change: TopicsChange): void
  removed(record: ClientRecord, reason: 'removed' | 'expired'): void
  /** Ends one of this replica's own connections. */
  evict(clientId: string, connectionId: string, reason: 'too-many-connections' | 'removed'): void
  /** Sequence of this replica's window now: a subscription that is noted now holds after it. */
  sequence(): number
  /** Resolves once the broker delivers these topics to this replica. @throws {StreamerError} `SUBSCRIPTION_FAILURE` */
  delivers(topics: readonly TopicPattern[]): Promise<void>
  /** Tells all replicas, this one included, or one of them alone. Rejects while the broker is out of reach. */
  tell(message: Uint8Array, to?: string): Promise<void>
  /** A beat of a replica came, in the order of the data. Its beats are numbered from 1. */
  beatCame(replica: string, number: number): void
  /** Something that a replica sent is missing though the broker took it: so data may be missing too. */
  holeSeen(replica: string): void
}

/** Keeps the clients. A client without a connection for `ttlMs`, or since it was made, expires. */
export interface ClientStore {
  /** Whether it shares the clients with other replicas, which beat then. */
  readonly isShared: boolean
  /** Called once the driver is open, and again after a start that failed. Resolves once the store can answer. */
  open(host: ClientStoreHost): Promise<void>
  /** A control message, in the order of the data. It may be anything; it never throws. */
  receive(message: Uint8Array): void
  /** What the driver tells of itself. */
  driverSaid(status: DriverStatus): void
  /** Adds a client. @throws {StreamerError} `CLIENT_EXISTS` */
  create(client: NewClient): Promise<ClientRecord>
  /** Asks the other replicas before it says that there is none. */
  find(id: string): Promise<ClientRecord | undefined>
  /**
   * Sets topics, each with the sequence after which it holds here, and removes others. Resolves once that holds on all
   * replicas, with `undefined` if there is no such client.
   */
  changeTopics(
    id: string,
    subscribe: ReadonlyMap<TopicPattern, number>,
    unsubscribe: readonly TopicPattern[],
  ): Promise<ClientRecord | undefined>
  /** Whether there was one to remove. */
  remove(id: string): Promise<boolean>
  /** Notes a connection of this replica; resolves with the record before it, or `undefined` if there is no such client. */
  attach(id: string, connection: ConnectionInfo): Promise<ClientRecord | undefined>
  /** Notes the end of a connection, or that it was never opened. The last one starts the TTL. */
  detach(id: string, connectionId: string, opened: boolean): Promise<void>
  list(query: ClientQuery): Promise<Page<ClientRecord>>
  /** How many clients have each topic or pattern, sorted by topic. */
  topics(
    query: Pick<ClientQuery, 'after' | 'limit'>,
  ): Promise<Page<{ topic: TopicPattern; subscribers: number }>>
  count(): Promise<number>
  status(): ClientStoreStatus
  /** Tells the others that this replica leaves. */
  close(): Promise<void>
}

/** Who shares the clients. */
export interface ClientStoreStatus {
  /** Whether it knows of all clients and can reach the other replicas. */
  readonly isReady: boolean
  /** This one included. */
  readonly replicas: readonly ReplicaInfo[]
}

/** A replica as another one sees it. */
export interface ReplicaInfo {
  readonly replica: string
  /** Whether it was heard lately. */
  readonly isFresh: boolean
}
