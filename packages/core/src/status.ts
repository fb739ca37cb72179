import type { ReplicaInfo } from './clients/client-store.ts'
import type { RelayCounters } from './broker/relay.ts'
import type { WindowStatus } from './events/window.ts'

/** How a replica is doing. */
export interface StreamerStatus {
  /** Id of the replica: random, new at every start. */
  readonly replica: string
  readonly driver: { readonly name: string; readonly state: DriverState }
  /** Whether `close()` was called. */
  readonly closing: boolean
  /** Whether it knows all clients, and any of them may come to it. */
  readonly ready: boolean
  /** Who shares the clients, this replica included. */
  readonly replicas: readonly ReplicaInfo[]
  /** Clients of all replicas, connected or not. */
  readonly clients: number
  /** Open connections of this replica. */
  readonly connections: number
  /** Topics and patterns that this replica is subscribed to at the broker. */
  readonly brokerSubscriptions: number
  /** Since the start. */
  readonly counters: Readonly<RelayCounters> & {
    /** Events given to connections. */
    readonly eventsOut: number
    /** Connections closed because they could not keep up. */
    readonly slowConsumers: number
  }
  readonly window: WindowStatus
}

/** Whether the broker answers. */
export type DriverState = 'idle' | 'connected' | 'reconnecting' | 'closed'
