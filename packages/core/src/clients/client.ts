import type { ClientRecord, ConnectionInfo } from './client-store.ts'
import type { TopicPattern } from '../driver.ts'

/** A client as it was when it was asked for; ask again to see what changed since. */
export class Client {
  /** Whoever knows it may connect as this client: treat it as a secret. */
  readonly id: string
  /** How long it lives without a connection, in milliseconds. */
  readonly ttlMs: number
  /** What the application keeps with it. */
  readonly metadata: Readonly<Record<string, unknown>>
  /** Its topics and patterns, sorted. */
  readonly topics: readonly TopicPattern[]
  /** Its open responses, oldest first. */
  readonly connections: readonly ConnectionInfo[]
  readonly #remove: (id: string) => Promise<boolean>

  constructor(record: ClientRecord, remove: (id: string) => Promise<boolean>) {
    this.id = record.id
    this.ttlMs = record.ttlMs
    this.metadata = record.metadata
    this.topics = [...record.topics.keys()].toSorted()
    this.connections = record.connections
    this.#remove = remove
  }

  /** Whether it has a connection, on any replica. */
  get connected(): boolean {
    return this.connections.length > 0
  }

  get totalTopics(): number {
    return this.topics.length
  }

  /** Removes the client and closes its connections; resolves with whether there was one. */
  close(): Promise<boolean> {
    return this.#remove(this.id)
  }
}
