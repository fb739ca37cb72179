/** A topic, or a pattern with `*` and `**` as {@link topicPatternOf} accepts it. */
export type TopicPattern = string

/** What a driver can do. Data: read by the Streamer, the docs table and the contract suite. */
export interface DriverCapabilities {
  /** Whether `subscribe` takes patterns. */
  readonly patterns: boolean
  /** Whether event name and id of a message travel beside its payload. */
  readonly headers: boolean
  /**
   * Whether every message carries its {@link Position} in a log that all replicas read alike. Such a driver hands over
   * all messages of its logs, wanted or not, so that nobody's place in them depends on who wants what.
   */
  readonly positions: boolean
  /**
   * Without positions: twice the time by which one replica may receive a message later than another, in milliseconds.
   * @default 2_000
   */
  readonly overlapMs?: number
  /** What keeps its order: messages of one topic whoever sent them, of one publisher, or nothing. */
  readonly ordering: 'topic' | 'publisher' | 'none'
  /** Whether other processes, or other drivers in this one, hear the same broker. */
  readonly shared: boolean
}

/** Where a message stands in a log of the broker, the same for every replica. */
export interface Position {
  /** Names the log among those that the driver reads: a stream, a partition. 1 to 64 of `[A-Za-z0-9_-]`. */
  readonly log: string
  /** Changes when the log is made anew under its old name; empty where the broker does not say. */
  readonly epoch: string
  /** Grows with every message of the log and epoch. */
  readonly offset: number | bigint
}

/** A message on its way to the broker. */
export interface OutgoingMessage {
  readonly topic: string
  readonly payload: Uint8Array
  /** The event name that the publisher set. */
  readonly event?: string
  /** The publisher's id of the message, for deduplication by those who read it. */
  readonly id?: string
}

/** A message from the broker, whoever published it. The receiver keeps `payload`: it MUST NOT change later. */
export interface IncomingMessage extends OutgoingMessage {
  /** Set by drivers with the capability `positions`, on every message. */
  readonly position?: Position
}

/** Why events may be missing; the reasons that a browser is told. */
export type GapReason =
  | 'window-exceeded'
  | 'broker-reconnected'
  | 'replica-started'
  | 'log-changed'
  | 'log-trimmed'
  | 'cursor-unknown'
  | 'messages-dropped'

/** What a driver tells of itself, whenever it happens. */
export type DriverStatus =
  /** The broker answers, and all subscriptions hold. */
  | { readonly type: 'connected' }
  /** The broker connection is lost and is being made again, for ever. */
  | { readonly type: 'reconnecting'; readonly error?: unknown }
  /**
   * All that a log holds behind `position` is handed over from here on, and nothing of before. MUST be told by drivers
   * with positions before the first message of each log, and again behind the gap that tells of another place.
   */
  | { readonly type: 'log'; readonly position: Position }
  /** Messages may have been missed, of these topics or of any. */
  | { readonly type: 'gap'; readonly reason: GapReason; readonly topics?: readonly TopicPattern[] }
  /** The broker refuses a subscription that was made before. */
  | { readonly type: 'topicFailed'; readonly topic: TopicPattern; readonly error: unknown }
  /** The driver gave up, or was closed. */
  | { readonly type: 'closed'; readonly error?: unknown }

/** The Streamer's side of a driver. Neither method throws or blocks: a driver need not guard its calls. */
export interface Receiver {
  /** MUST be called once for each broker message, however many subscriptions match it. */
  message(message: IncomingMessage): void
  status(status: DriverStatus): void
}

/** What every driver is told when it is opened. */
export interface OpenOptions {
  /** This replica's id, for the names of what it makes on the broker. */
  readonly replica: string
  /** Keeps deployments apart that share a broker. */
  readonly namespace: string
  /**
   * Drivers with positions hand over what their logs hold from so many milliseconds ago, before `open` resolves.
   * @default 0
   */
  readonly backlogMs?: number
}

/**
 * What replicas tell each other travels on topics that begin so. A driver with positions carries it beside its logs,
 * whose messages are kept; to the others it is a topic like any, in the order of the data.
 */
export const CONTROL_PREFIX = 'asbru.control.'

/**
 * Speaks to one broker. Drivers throw the broker client's own errors; the Streamer wraps them once.
 * Every replica MUST receive every message of what it subscribed to, its own publishes included,
 * and what a driver makes on the broker for that MUST be gone after `close()`, and soon after a crash.
 */
export interface Driver {
  /** Lower case, as in its package name. */
  readonly name: string
  readonly capabilities: DriverCapabilities
  /** Resolves once connected, after `receiver.status({ type: 'connected' })`. May be called again after it rejected. */
  open(receiver: Receiver, options: OpenOptions): Promise<void>
  /** Resolves once every later publish will arrive. Subscriptions outlive a lost connection. */
  subscribe(topic: TopicPattern): Promise<void>
  /** After it resolves, nothing that only this subscription matched arrives. */
  unsubscribe(topic: TopicPattern): Promise<void>
  /** Resolves once the broker has accepted the message; MUST reject while it cannot. */
  publish(message: OutgoingMessage): Promise<void>
  /** Resolves once all that the logs held when it was called was handed over. MUST be there with positions. */
  catchUp?(): Promise<void>
  /** Idempotent; safe before, during and after `open`. No message arrives after it resolves. */
  close(): Promise<void>
}
