import type { TopicPattern } from '@asbru/core'
import type { Channels } from './channels.ts'
import type { Publisher } from './publisher.ts'

/** What a flow works with until the connection is lost. */
export interface Ground {
  readonly channels: Channels
  readonly publisher: Publisher
  /** Whether the exchange was absent, and what was bound to it is not any more. */
  readonly isExchangeNew: boolean
}

/** One way for messages from the exchange to here, over connections that come and go. */
export interface Flow {
  /** Makes or finds what it needs, tells gaps, and goes on; may be tried again. */
  restore(ground: Ground): Promise<void>
  /** Resolves once the backlog is handed over. Only where there is a log. */
  begun?(): Promise<void>
  /** The connection is gone. */
  lost?(): void
  /** Resolves once all is handed over that the log holds now. Only where there is one. */
  catchUp?(ground: Ground): Promise<void>
  subscribe(topic: TopicPattern): Promise<void>
  unsubscribe(topic: TopicPattern): Promise<void>
  /** Takes away what it made on the broker for this replica. */
  stop(ground: Ground): Promise<void>
}
