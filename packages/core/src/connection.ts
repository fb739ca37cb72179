import type { Batch } from './batch.ts'
import type { Audience } from './window.ts'

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
  /** Starts writing; returns what to call when the transport is gone. */
  readonly open: (sink: Sink) => () => void
  readonly abandon: () => void
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
  /** Called once, when it is over. */
  readonly onClosed: () => void
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
    onClosed: () => void
  }) {
    this.id = values.id
    this.since = values.since
    this.sink = values.sink
    this.client = values.client
    this.envelope = values.envelope
    this.onClosed = values.onClosed
  }
}

/** A client as long as it has connections here. */
export interface ConnectedClient extends Audience {
  topics: ReadonlyMap<string, number>
  /** Oldest first. */
  readonly connections: Connection[]
}
