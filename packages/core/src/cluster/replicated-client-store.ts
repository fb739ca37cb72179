import { Buffer } from 'node:buffer'
import type {
  ClientQuery,
  ClientRecord,
  ClientStore,
  ClientStoreHost,
  ClientStoreStatus,
  ConnectionInfo,
  NewClient,
} from '../clients/client-store.ts'
import { DEFAULT_LIMIT, pageOf, placeOf, topicsPageOf } from '../clients/pages.ts'
import type { DriverStatus, TopicPattern } from '../driver.ts'
import { StreamerError } from '../errors.ts'
import { maskId } from '../logger.ts'
import { MAX_MESSAGE_BYTES } from './control-message.ts'
import { type ClientEntry, exists, type Fragment, topicsOf } from './record.ts'
import { Replica } from './replica.ts'
import {
  type ArchivedClient,
  type ClientArchive,
  type ReplicatedClientStoreOptions,
  settingsOf,
} from './settings.ts'

/** Between attempts to read what is kept. */
const LOAD_RETRY_MS = 500
/** What one client may take of a message, in bytes. */
const MAX_CLIENT_BYTES = MAX_MESSAGE_BYTES / 2

/**
 * Keeps clients on all replicas that share a broker: each knows all of them, a change is answered once it holds on every
 * one that is heard, and what is missed is repaired.
 */
export function replicatedClientStore(options: ReplicatedClientStoreOptions = {}): ClientStore {
  return new ReplicatedClientStore(options)
}

class ReplicatedClientStore implements ClientStore {
  readonly isShared = true
  readonly #options: ReplicatedClientStoreOptions
  #host: ClientStoreHost | undefined
  #replica: Replica | undefined
  #opening: Promise<void> | undefined
  #cancelTouch: (() => void) | undefined
  #isClosed = false

  constructor(options: ReplicatedClientStoreOptions) {
    this.#options = options
  }

  open(host: ClientStoreHost): Promise<void> {
    // One that failed may be tried again.
    this.#opening ??= this.#open(host).catch((error: unknown) => {
      this.#opening = undefined
      throw error
    })
    return this.#opening
  }

  receive(message: Uint8Array): void {
    try {
      this.#replica?.receive(message)
    } catch (error) {
      this.#host?.logger.error({ err: error }, 'could not take what another replica said')
    }
  }

  driverSaid(status: DriverStatus): void {
    if (status.type === 'gap') this.#replica?.excuseHoles()
  }

  async create(client: NewClient): Promise<ClientRecord> {
    const { changes, registry } = this.#ready()
    const { id, isIdChosen, ttlMs, metadata, madeAt, topics } = client
    mustFit(client)
    if (registry.isLive(id))
      throw new StreamerError('CLIENT_EXISTS', `There is a client ${maskId(id)} already.`)
    const set = { ttlMs, metadata, madeAt }
    if (isIdChosen) {
      // What it has follows once the id is won, so that a loser's topics never reach somebody else.
      await changes.make({ kind: 'claim', id })
      await changes.make({ kind: 'topics', id, set, on: topics })
    } else {
      await changes.make({ kind: 'make', id, set, on: topics })
    }
    return this.#kept(id)
  }

  async find(id: string): Promise<ClientRecord | undefined> {
    const { registry, asks, peers } = this.#ready()
    const entry = registry.get(id)
    if (registry.isLive(id)) return registry.recordOf(entry!)
    // Who was removed may have been made anew meanwhile.
    if (!peers.isInTouch) throw notReady()
    if (entry !== undefined && entry.gone !== '' && !exists(entry)) return undefined
    const answer = await asks.ask(id)
    if (answer === 'unsure') throw notReady()
    return registry.isLive(id) ? registry.recordOf(registry.get(id)!) : undefined
  }

  async changeTopics(
    id: string,
    subscribe: ReadonlyMap<TopicPattern, number>,
    unsubscribe: readonly TopicPattern[],
  ): Promise<ClientRecord | undefined> {
    const { changes, registry } = this.#ready()
    if ((await this.find(id)) === undefined) return undefined
    // Also what holds here already: it may not hold elsewhere, or not any more.
    if (subscribe.size + unsubscribe.length > 0) {
      await changes.make({ kind: 'topics', id, on: subscribe, off: unsubscribe })
    }
    return registry.isLive(id) ? this.#kept(id) : undefined
  }

  async remove(id: string): Promise<boolean> {
    const { changes, registry } = this.#ready()
    const isThere = (await this.find(id)) !== undefined
    if (isThere) await changes.make({ kind: 'remove', id })
    const entry = registry.get(id)
    // Also of one that was removed before: it may be a second try, after one that could not be kept.
    if (entry !== undefined && !exists(entry)) await this.#archived(id)
    return isThere
  }

  async attach(id: string, { id: connection, since }: ConnectionInfo) {
    const replica = this.#ready()
    const before = await this.find(id)
    if (before === undefined) return undefined
    // Its stream would lack the topics of which this replica does not know yet.
    if (!replica.isCurrent) throw notReady()
    replica.registry.hold(id, connection, since)
    replica.announce(id, false)
    return before
  }

  async detach(id: string, connectionId: string, opened: boolean): Promise<void> {
    const { registry } = this.#started()
    if (registry.letGo(id, connectionId) && registry.get(id) !== undefined)
      this.#replica!.announce(id, opened)
  }

  async list(query: ClientQuery) {
    const { registry } = this.#ready()
    const { topic, connected, after, limit = DEFAULT_LIMIT } = query
    const from = placeOf(after)
    const found: ClientEntry[] = []
    for (const entry of registry.live()) {
      if (entry.order <= from || (topic !== undefined && !topicsOf(entry).includes(topic))) continue
      const isConnected = (): boolean => registry.recordOf(entry).connections.length > 0
      if (connected === undefined || connected === isConnected()) found.push(entry)
    }
    found.sort((one, other) => one.order - other.order)
    return pageOf(
      found,
      limit,
      ({ order }) => String(order),
      (entry) => registry.recordOf(entry),
    )
  }

  async topics({ after, limit = DEFAULT_LIMIT }: Pick<ClientQuery, 'after' | 'limit'>) {
    return topicsPageOf(this.#ready().registry.subscribers, after, limit)
  }

  async count(): Promise<number> {
    return this.#replica?.registry.size ?? 0
  }

  status(): ClientStoreStatus {
    const replica = this.#replica
    if (replica === undefined) return { isReady: false, replicas: [] }
    const { peers } = replica
    const others = [...peers.all]
      .filter(([, { isOver }]) => !isOver)
      .map(([id]) => ({ replica: id, isFresh: peers.isFresh(id) }))
    const self = { replica: this.#host!.replica, isFresh: peers.isInTouch }
    return { isReady: replica.isSynced && replica.isCurrent, replicas: [self, ...others] }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancelTouch?.()
    await this.#replica?.end()
    await this.#options.archive?.close()
  }

  async #open(host: ClientStoreHost): Promise<void> {
    const { archive } = this.#options
    const settings = settingsOf(this.#options)
    await archive?.open({ namespace: host.namespace })
    this.#host = host
    this.#replica = new Replica(host, settings, this.#options, () => this.#load())
    await this.#replica.start()
    if (archive !== undefined) this.#touch(archive)
  }

  /** Begins with what is kept where it outlives all replicas. */
  async #load(): Promise<void> {
    const { archive } = this.#options
    if (archive === undefined) return
    for (;;) {
      try {
        await this.#loadFrom(archive)
        return
      } catch (error) {
        if (this.#isClosed) return
        this.#host!.logger.error(
          { err: error },
          'could not read the clients that are kept; trying again',
        )
        // Without them this replica would say of many that they do not exist.
        await new Promise<void>((resolve) => {
          this.#host!.clock.after(LOAD_RETRY_MS, resolve)
        })
      }
    }
  }

  async #loadFrom(archive: ClientArchive): Promise<void> {
    const { registry } = this.#started()
    for await (const client of archive.load()) {
      const fragment: Fragment = { ...client, made: 0, goneAt: 0, holders: [] }
      registry.merge(fragment, { isLate: false })
    }
  }

  /** Keeps connected clients from expiring where they are kept. */
  #touch(archive: ClientArchive): void {
    const { clock, clientTtlMs, logger } = this.#host!
    const touch = (): void => {
      this.#cancelTouch = clock.after(clientTtlMs / 3, touch)
      const { registry } = this.#started()
      const byTtl = new Map<number, string[]>()
      for (const id of registry.held) {
        const ttlMs = registry.get(id)?.set.ttlMs ?? clientTtlMs
        const ids = byTtl.get(ttlMs)
        if (ids === undefined) byTtl.set(ttlMs, [id])
        else ids.push(id)
      }
      for (const [ttlMs, ids] of byTtl) {
        archive.touch(ids, this.#keptMs(ttlMs)).catch((error: unknown) => {
          logger.warn({ err: error }, 'could not renew the clients that are kept')
        })
      }
    }
    touch()
  }

  async #archived(id: string): Promise<void> {
    const { archive } = this.#options
    const entry = this.#started().registry.get(id)
    if (archive === undefined || entry === undefined) return
    const { born, gone, set, topics } = entry
    const kept: ArchivedClient = {
      id,
      born,
      gone,
      set,
      topics: [...topics].map(([topic, { stamp, isOn }]) => [topic, stamp, isOn]),
    }
    try {
      const { tombstoneMs } = this.#started().settings
      const livesMs = this.#keptMs(set.ttlMs)
      await archive.save(kept, exists(entry) ? livesMs : Math.max(livesMs, tombstoneMs))
    } catch (cause) {
      const text = `The change of client ${maskId(id)} holds, but could not be kept where it outlives all replicas. Try again.`
      throw new StreamerError('CHANGE_TIMEOUT', text, { cause })
    }
  }

  /** How long a client is kept that lives for so long without a connection. */
  #keptMs(ttlMs: number): number {
    return 2 * Math.max(ttlMs, this.#host!.clientTtlMs)
  }

  async #kept(id: string): Promise<ClientRecord> {
    await this.#archived(id)
    const { registry } = this.#started()
    return registry.recordOf(registry.get(id)!)
  }

  #started(): Replica {
    if (this.#replica === undefined) throw notReady()
    return this.#replica
  }

  /** @throws {StreamerError} `NOT_READY` before all clients are known */
  #ready(): Replica {
    const replica = this.#started()
    if (!replica.isSynced) throw notReady()
    return replica
  }
}

function notReady(): StreamerError {
  return new StreamerError(
    'NOT_READY',
    'This replica cannot tell now, since it does not hear the others: ask again soon.',
  )
}

function mustFit({ metadata, topics }: NewClient): void {
  const length = Buffer.byteLength(JSON.stringify([metadata, ...topics.keys()]))
  if (length <= MAX_CLIENT_BYTES) return
  const text = `\`metadata\` and \`topics\` have ${length} bytes; the most is ${MAX_CLIENT_BYTES}.`
  throw new StreamerError('INVALID_REQUEST', text)
}
