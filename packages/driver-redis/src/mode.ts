import type { DriverCapabilities, OutgoingMessage, TopicPattern } from '@asbru/core'

/** One way of using Redis, from one `open` to its end. */
export interface Mode {
  /** Resolves once connected. */
  start(timeoutMs: number): Promise<void>
  subscribe(topic: TopicPattern): Promise<void>
  unsubscribe(topic: TopicPattern): Promise<void>
  publish(message: OutgoingMessage): Promise<void>
  /** Resolves once all is handed over that the streams held. Only in the mode `streams`. */
  catchUp?(): Promise<void>
  /** Resolves once all connections are closed; safe at any time. */
  stop(): Promise<void>
}

/** What each mode can do. */
export const capabilities: Readonly<Record<'pubsub' | 'sharded' | 'streams', DriverCapabilities>> =
  {
    pubsub: { patterns: true, headers: false, positions: false, ordering: 'topic', shared: true },
    sharded: { patterns: false, headers: false, positions: false, ordering: 'topic', shared: true },
    streams: { patterns: true, headers: true, positions: true, ordering: 'topic', shared: true },
  }
