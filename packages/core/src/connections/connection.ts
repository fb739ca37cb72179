import type { Batch } from './batch.ts'
import type { ClientRecord } from '../clients/client-store.ts'

/** The transport's end of a connection: takes bytes, tells when it is full, empty and gone. */
export interface Sink {
  /** Bytes that were written and have not left the process. */
  readonly queuedBytes: number
  /** Whether it asks to wait for `onDrain` before the next write. */
  readonly full: boolean
  write(batch: Batch): void
  /** Calls `run` once, when what was queued has left. */
  onDrain(run: () => void): void
  /** Ends the response behind all that was written. */
  end(): void
  /** Gives up what is queued and closes at once. */
  destroy(): void
}

/** How a stream is opened, or given up. */
export interface StreamOpener {
  /** Starts writing; `undefined` if it was given up before. */
  readonly open: (sink: Sink) => Connection | undefined
  readonly abandon: () => void
  /** Gives it up for a fault of the transport, which is logged. */
  readonly failed: (error: unknown) => void
}

/** Who is told that the transport of a connection is gone. */
export interface ConnectionOwner {
  closed(connection: Connection): void
}

/** One open response of a client. */
export class Connection {
  readonly id: string
  /** When it was opened, in milliseconds since 1970. */
  readonly since: number
  readonly sink: Sink
  readonly client: ConnectedClient
  /** Whether events come as `{"topic":…,"data":…}`. */
  readonly envelope: boolean
  /** Whether its client ends with it. */
  readonly anonymous: boolean
  readonly #owner: ConnectionOwner
  /** What leaves with the next flush. */
  pending: Batch | undefined = undefined
  /** True until all that the window holds for it was written. */
  replaying = true
  closed = false
  /** The last event that it was given: one that several subscriptions match comes once. */
  lastEvent: object | undefined = undefined
  /** On the monotonic clock. */
  lastWriteAt = 0
  /** What the last write to an empty queue put there; it does not count against the queue's bound. */
  headBytes = 0
  /** Its place in the keepalive wheel. */
  slot = 0

  constructor(values: {
    id: string
    since: number
    sink: Sink
    client: ConnectedClient
    envelope: boolean
    anonymous: boolean
    owner: ConnectionOwner
  }) {
    this.id = values.id
    this.since = values.since
    this.sink = values.sink
    this.client = values.client
    this.envelope = values.envelope
    this.anonymous = values.anonymous
    this.#owner = values.owner
  }

  /** The transport is gone. */
  gone(): void {
    this.#owner.closed(this)
  }
}

/** A client as long as it has connections here. */
export interface ConnectedClient {
  readonly id: string
  record: ClientRecord
  /** Oldest first. Never changed, only replaced. */
  connections: readonly Connection[]
}
