import type { BrokerSubscriptions } from '../broker/broker-subscriptions.ts'
import { controlTopic } from '../broker/message.ts'
import type { Relay } from '../broker/relay.ts'
import type { Connections } from '../connections/connections.ts'
import type { TopicPattern } from '../driver.ts'
import type { FlowCursors } from '../events/flow-cursors.ts'
import type { Window } from '../events/window.ts'
import type { ResolvedOptions } from '../options.ts'
import type { ClientRecord, ClientStoreHost } from './client-store.ts'

/** The parts of a Streamer that its store reaches. */
export interface StoreHostParts {
  readonly replica: string
  readonly options: ResolvedOptions
  readonly broker: BrokerSubscriptions
  readonly connections: Connections
  readonly window: Window
  readonly cursors: FlowCursors
  readonly relay: Relay
  readonly onExpire: (record: ClientRecord) => void
}

/** A Streamer as its store sees it: brings broker and connections in step with the clients. */
export function storeHost(parts: StoreHostParts): ClientStoreHost {
  const { replica, options, broker, connections, window, cursors, relay, onExpire } = parts
  const { clock, logger, namespace, random, driver, name = replica } = options
  const { maxConnectionsPerClient, clientTtlMs } = options
  const delivers = async (topics: readonly TopicPattern[]): Promise<void> => {
    const release = await broker.hold(topics)
    release()
  }
  /** What is published until the broker delivers a topic is missing, too. */
  const missed = async (record: ClientRecord, topics: readonly TopicPattern[]): Promise<void> => {
    try {
      await delivers(topics)
    } catch (error) {
      // It is asked for again, and told of again then.
      logger.warn({ err: error, topics }, 'a topic could not be subscribed to')
    }
    // One that was never connected gets all from where its topics arrive, and is told if that is too late.
    if (record.wasConnected || record.connections.length > 0) relay.clientMissed(record.id, topics)
  }
  return {
    replica,
    name,
    namespace,
    clock,
    logger,
    random,
    maxConnectionsPerClient,
    clientTtlMs,
    changed(record, change) {
      for (const topic of change.added) broker.retain(topic)
      connections.topicsChanged(record, change)
      if (change.isLate && change.added.length > 0) void missed(record, change.added)
      for (const topic of change.removed) broker.release(topic)
    },
    removed(record, reason) {
      connections.clientRemoved(record.id, reason)
      for (const topic of record.topics.keys()) broker.release(topic)
      if (reason === 'expired') onExpire(record)
    },
    evict: (clientId, connectionId, reason) => connections.evict(clientId, connectionId, reason),
    sequence: () => window.head,
    delivers,
    tell: (payload, to) => driver.publish({ topic: controlTopic(namespace, to), payload }),
    beatCame: (from, number) => cursors.beat(from, number, window.head),
    holeSeen() {
      if (driver.capabilities.positions) return
      relay.status({ type: 'gap', reason: 'messages-dropped' })
    },
  }
}
