import type { Clock } from '../../../src/index.ts'
import { silentLogger } from '../../../src/logger.ts'
import { DORMANT_MS, type Machine, TTL_MS } from './schedule.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { SimulatedBroker } from './simulated-broker.ts'
import type {
  ClientRecord,
  ClientStore,
  ClientStoreHost,
  TopicsChange,
} from '../../../src/clients/client-store.ts'
import type { Timeline } from './timeline.ts'

/** What a simulated cluster needs of the store of each replica. */
export type ClusterStore = Omit<ClientStore, 'isShared' | 'topics' | 'count'>

/** How long a broker takes to subscribe, at most. */
const SUBSCRIBE_MS = 30

type GivenKind = 'timer' | 'message' | 'call'

/** What a replica's store tells that a schedule looks at. */
export interface ReplicaWatcher {
  viewChanged(replica: SimulatedReplica, client: string, change?: TopicsChange): void
  /** It has a client again that was expired for longer than it keeps such. */
  forgot(replica: SimulatedReplica, client: string): void
  /** A connection is to be ended, or all that the client has here. */
  told(replica: SimulatedReplica, client: string, connection: string | undefined): void
  becameReady(replica: SimulatedReplica): void
  /** It gave up its start. */
  failed(replica: SimulatedReplica, error: unknown): void
}

/** What replicas of one schedule share. */
export interface World {
  readonly timeline: Timeline
  readonly random: SeededRandom
  readonly broker: SimulatedBroker
  readonly watcher: ReplicaWatcher
  readonly makeStore: () => ClusterStore
}

/** One process with a store: it can be killed and stalled, and its clocks are its own. */
export class SimulatedReplica {
  readonly name: string
  readonly id: string
  readonly store: ClusterStore
  isUp = true
  isStalled = false
  /** Whether its driver is open. */
  isStarted = false
  /** Whether its start is over. */
  isOpen = false
  /** The clients, as the store told of them. */
  readonly view = new Map<string, ClientRecord>()
  /** What the broker delivers to it. */
  readonly delivered = new Set<string>()
  readonly #world: World
  readonly #machine: Machine
  #inbox: { readonly kind: GivenKind; readonly run: () => void }[] = []
  /** When clients expired that did not come back. */
  readonly #expired = new Map<string, number>()
  #sequence = 0

  constructor(world: World, machine: Machine) {
    this.#world = world
    this.#machine = machine
    this.name = machine.name
    this.id = `${machine.name}-${world.random.next().toString(36).slice(2, 12)}`
    this.store = world.makeStore()
  }

  start(): void {
    this.give('call', () => {
      this.isStarted = true
      const opened = () => this.give('call', () => this.#opened())
      this.store.open(this.#host()).then(opened, (error: unknown) => {
        this.#world.watcher.failed(this, error)
      })
    })
  }

  kill(): void {
    this.isUp = false
    this.#inbox = []
  }

  /** Ends it as a deployment does; resolves once it is gone. */
  async stop(): Promise<void> {
    this.isOpen = false
    await this.whileRunning(this.store.close())
    this.kill()
  }

  stall(): void {
    this.isStalled = true
  }

  /** Goes on; what waited for it runs now. */
  wake(waking: 'inbox lost' | 'timers first' | 'in order'): void {
    this.isStalled = false
    let waited = this.#inbox
    this.#inbox = []
    if (waking === 'inbox lost') waited = waited.filter(({ kind }) => kind !== 'message')
    if (waking !== 'in order') {
      const timers = waited.filter(({ kind }) => kind === 'timer')
      waited = [...timers, ...waited.filter(({ kind }) => kind !== 'timer')]
    }
    for (const { run } of waited) this.#world.timeline.after(0, () => this.give('call', run))
  }

  /** Runs now, or when the replica wakes; never once it is killed. */
  give(kind: GivenKind, run: () => void): void {
    if (!this.isUp) return
    if (this.isStalled) this.#inbox.push({ kind, run })
    else run()
  }

  /** Settles like `promise`, but only while the replica runs. */
  async whileRunning<Value>(promise: Promise<Value>): Promise<Value> {
    const { promise: settled, resolve, reject } = Promise.withResolvers<Value>()
    promise.then(
      (value) => this.give('call', () => resolve(value)),
      (error: unknown) => this.give('call', () => reject(error)),
    )
    return settled
  }

  #opened(): void {
    this.isOpen = true
    this.#world.watcher.becameReady(this)
  }

  #host(): ClientStoreHost {
    const { broker, random, watcher } = this.#world
    return {
      clientTtlMs: TTL_MS,
      replica: this.id,
      name: this.name,
      namespace: 'simulated',
      clock: this.#clock(),
      logger: silentLogger,
      random: random.next,
      maxConnectionsPerClient: 16,
      changed: (record, change) => {
        const expired = this.#expired.get(record.id) ?? Infinity
        this.#expired.delete(record.id)
        if (this.#world.timeline.now - expired > DORMANT_MS * 0.9) watcher.forgot(this, record.id)
        this.view.set(record.id, record)
        this.#deliverSoon(change.added)
        watcher.viewChanged(this, record.id, change)
      },
      removed: ({ id }, reason) => {
        this.view.delete(id)
        if (reason === 'expired') this.#expired.set(id, this.#world.timeline.now)
        watcher.viewChanged(this, id)
        watcher.told(this, id, undefined)
      },
      evict: (client, connection) => watcher.told(this, client, connection),
      sequence: () => ++this.#sequence,
      delivers: (topics) => this.#deliver(topics),
      tell: (message, to) => broker.tell(this, message, to),
      beatCame() {},
      holeSeen() {},
    }
  }

  /** The host asks its broker for the topics of all clients that it is told of. */
  #deliverSoon(topics: readonly string[]): void {
    this.#world.timeline.after(SUBSCRIBE_MS, () =>
      this.give('call', () => {
        for (const topic of topics) this.delivered.add(topic)
      }),
    )
  }

  #deliver(topics: readonly string[]): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#world.timeline.after(this.#world.random.between(0.5, SUBSCRIBE_MS), () =>
      this.give('call', () => {
        for (const topic of topics) this.delivered.add(topic)
        resolve()
      }),
    )
    return promise
  }

  #clock(): Clock {
    const { timeline } = this.#world
    const { skewMs, rate } = this.#machine
    return {
      now: () => timeline.now * rate,
      wallTime: () => Date.UTC(2026, 0, 1) + Math.floor(timeline.now + skewMs),
      after: (ms, run) => {
        let isWanted = true
        timeline.after(Math.max(ms, 0) / rate, () =>
          this.give('timer', () => {
            if (isWanted) run()
          }),
        )
        return () => {
          isWanted = false
        }
      },
    }
  }
}
