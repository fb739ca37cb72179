import type { TopicPattern } from '../driver.ts'

/** One open response of a client, as others see it. */
export interface ConnectionInfo {
  readonly id: string
  /** Id of the replica that holds it. */
  readonly replica: string
  /** When it was opened, in milliseconds since 1970. */
  readonly since: number
}

/** What is known of a client. Records are never changed, only replaced. */
export interface ClientRecord {
  readonly id: string
  /** How long it lives without a connection, in milliseconds. */
  readonly ttlMs: number
  /** What the application keeps with it: a JSON object. */
  readonly metadata: Readonly<Record<string, unknown>>
  /** Its topics and patterns, each with the cursor after which it holds. */
  readonly topics: ReadonlyMap<TopicPattern, string>
  /** The cursor at which it was made. */
  readonly madeAt: string
  /** Whether it had a connection that is over. */
  readonly wasConnected: boolean
  /** Oldest first. */
  readonly connections: readonly ConnectionInfo[]
}

/** A change of a client's topics. */
export interface TopicsChange {
  readonly added: readonly TopicPattern[]
  readonly removed: readonly TopicPattern[]
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

/** Told of every change, wherever it was made, before the call that made it resolves. */
export interface ClientStoreListener {
  changed(record: ClientRecord, change: TopicsChange): void
  removed(record: ClientRecord, reason: 'removed' | 'expired'): void
}

/** Keeps the clients. A client without a connection for `ttlMs`, or since it was made, expires. */
export interface ClientStore {
  /** Called before anything else, and again with the same listener after a start that failed. */
  open(listener: ClientStoreListener): Promise<void>
  /** Adds a client. @throws {StreamerError} `CLIENT_EXISTS` */
  create(record: ClientRecord): Promise<void>
  find(id: string): Promise<ClientRecord | undefined>
  /** Sets and removes topics; resolves with `undefined` if there is no such client. */
  changeTopics(
    id: string,
    subscribe: ReadonlyMap<TopicPattern, string>,
    unsubscribe: readonly TopicPattern[],
  ): Promise<ClientRecord | undefined>
  /** Whether there was one to remove. */
  remove(id: string): Promise<boolean>
  /** Notes a connection; resolves with the record before it, or `undefined` if there is no such client. */
  attach(id: string, connection: ConnectionInfo): Promise<ClientRecord | undefined>
  /** Notes the end of a connection, or that it was never opened. The last one starts the TTL. */
  detach(id: string, connectionId: string, opened: boolean): Promise<void>
  list(query: ClientQuery): Promise<Page<ClientRecord>>
  /** How many clients have each topic or pattern, sorted by topic. */
  topics(
    query: Pick<ClientQuery, 'after' | 'limit'>,
  ): Promise<Page<{ topic: TopicPattern; subscribers: number }>>
  count(): Promise<number>
  close(): Promise<void>
}
