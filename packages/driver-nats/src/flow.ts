import type { OutgoingMessage, TopicPattern } from '@asbru/core'

/** One way for messages through NATS, on a connection that comes and goes. */
export interface Flow {
  /** Makes what it needs, once; may be tried again. */
  start(): Promise<void>
  subscribe(topic: TopicPattern): Promise<void>
  unsubscribe(topic: TopicPattern): Promise<void>
  publish(message: OutgoingMessage): Promise<void>
  /** Resolves once all is handed over that a log held. Only where there is one. */
  catchUp?(): Promise<void>
  /** The connection is gone. */
  lost(): void
  /** The connection is there again: makes all subscriptions anew and tells gaps; may be tried again. */
  restore(): Promise<void>
  /** The server refused a message to that subject. */
  refused(subject: string, error: Error): void
  /** Takes away what it made on the broker, as far as that can be reached. Hands over nothing from then on. */
  stop(): Promise<void>
}
