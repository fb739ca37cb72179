import { randomUUID } from 'node:crypto'
import {
  type ClientRecord,
  type ClientStore,
  type ClientStoreHost,
  type Clock,
  type ConnectionInfo,
  silentLogger,
  systemClock,
} from '@asbru/core'

/** A control message on its way to one replica. */
export interface Copy {
  readonly from: string
  readonly to: string
  readonly bytes: Uint8Array
  /** Whether it is told to all. */
  readonly isForAll: boolean
}

/** What a cluster of stores may be told. */
export interface StoreClusterOptions {
  readonly makeStore: () => ClientStore
  /** @default the machine's own */
  readonly clock?: Clock
  /** @default 1_000 */
  readonly clientTtlMs?: number
  /** @default 8 */
  readonly maxConnectionsPerClient?: number
}

/** One replica's store, and what it told its Streamer. */
export class StoreReplica {
  readonly store: ClientStore
  readonly id: string
  /** The clients that it knows. */
  readonly clients = new Map<string, ClientRecord>()
  readonly removed: (readonly [id: string, reason: string])[] = []
  readonly evicted: (readonly [id: string, connection: string, reason: string])[] = []
  /** Changes that may have been answered before it knew of them. */
  readonly late: string[] = []
  /** Of whom something is missing, each time that it was said. */
  readonly holes: string[] = []
  readonly beats: (readonly [replica: string, number: number])[] = []
  /** Rejects, or waits, where the broker does. */
  delivers: ClientStoreHost['delivers'] = async () => {}

  constructor(store: ClientStore, id: string) {
    this.store = store
    this.id = id
  }

  /** Notes a connection that is open now. */
  async attach(id: string, connection: string): Promise<ConnectionInfo> {
    const info = { id: connection, replica: this.id, since: Date.now() }
    await this.store.attach(id, info)
    return info
  }
}

/** Stores that share a broker, each of a replica of its own. */
export class StoreCluster {
  readonly replicas: StoreReplica[] = []
  /** Replicas that the broker does not reach. */
  readonly cut = new Set<StoreReplica>()
  /** All that was under way, oldest first. */
  readonly copies: Copy[] = []
  /** Which copies arrive. */
  arrives: (copy: Copy) => boolean = () => true
  readonly #options: StoreClusterOptions
  readonly #clock: Clock

  constructor(options: StoreClusterOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
  }

  /** A new replica, whose store is not open yet. */
  add(name: string = `replica-${this.replicas.length}`): StoreReplica {
    const replica = new StoreReplica(
      this.#options.makeStore(),
      `${name}-${randomUUID().slice(0, 8)}`,
    )
    this.replicas.push(replica)
    return replica
  }

  /** So many replicas, started one beside the other; with a manual clock, somebody has to move it meanwhile. */
  async start(count: number): Promise<StoreReplica[]> {
    const started = Array.from({ length: count }, () => this.add())
    await Promise.all(started.map((replica) => this.open(replica)))
    return started
  }

  /** Resolves once a replica's store can answer. */
  open(replica: StoreReplica): Promise<void> {
    return replica.store.open(this.#hostOf(replica))
  }

  /** Hands a message over once more, to whomever. */
  replay({ bytes }: Copy, to: StoreReplica): void {
    to.store.receive(bytes)
  }

  async close(): Promise<void> {
    await Promise.all(this.replicas.map(({ store }) => store.close()))
  }

  #hostOf(replica: StoreReplica): ClientStoreHost {
    const { clientTtlMs = 1_000, maxConnectionsPerClient = 8 } = this.#options
    let sequence = 0
    return {
      replica: replica.id,
      name: replica.id.slice(0, replica.id.lastIndexOf('-')),
      namespace: 'trial',
      clock: this.#clock,
      logger: silentLogger,
      random: Math.random,
      clientTtlMs,
      maxConnectionsPerClient,
      changed: (record, { isLate }) => {
        replica.clients.set(record.id, record)
        if (isLate) replica.late.push(record.id)
      },
      removed: ({ id }, reason) => {
        replica.clients.delete(id)
        replica.removed.push([id, reason])
      },
      evict: (...evicted) => void replica.evicted.push(evicted),
      sequence: () => ++sequence,
      delivers: (topics) => replica.delivers(topics),
      tell: (bytes, to) => this.#tell(replica, bytes, to),
      beatCame: (...beat) => void replica.beats.push(beat),
      holeSeen: (from) => void replica.holes.push(from),
    }
  }

  async #tell(from: StoreReplica, bytes: Uint8Array, to: string | undefined): Promise<void> {
    if (this.cut.has(from)) throw new Error('The broker is out of reach.')
    for (const replica of this.replicas) {
      if (this.cut.has(replica) || (to !== undefined && replica.id !== to)) continue
      const copy = { from: from.id, to: replica.id, bytes, isForAll: to === undefined }
      this.copies.push(copy)
      if (this.arrives(copy)) replica.store.receive(bytes)
    }
  }
}
