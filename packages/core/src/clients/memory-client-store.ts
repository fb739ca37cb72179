import type {
  ClientQuery,
  ClientRecord,
  ClientStore,
  ClientStoreHost,
  ConnectionInfo,
} from './client-store.ts'
import type { TopicPattern } from '../driver.ts'
import { StreamerError } from '../errors.ts'
import { maskId } from '../logger.ts'
import { DEFAULT_LIMIT, pageOf, placeOf, topicsPageOf } from './pages.ts'
import { TtlQueues } from './ttl-queues.ts'

/** Keeps clients in this process, for it alone. */
export function memoryClientStore(): ClientStore {
  const clients = new Map<string, Held>()
  const subscribers = new Map<TopicPattern, number>()
  let host: ClientStoreHost | undefined
  let expiring: TtlQueues<Held>
  let made = 0

  return {
    isShared: false,

    async open(to) {
      host = to
      expiring ??= new TtlQueues(to.clock, (held) => remove(held, 'expired'))
    },

    receive() {
      // There is nobody who could tell it anything.
    },

    driverSaid() {
      // It does not lean on the broker.
    },

    async create({ id, ttlMs, metadata, topics, madeAt }) {
      if (clients.has(id)) {
        throw new StreamerError('CLIENT_EXISTS', `There is a client ${maskId(id)} already.`)
      }
      const record = { id, ttlMs, metadata, topics, madeAt, wasConnected: false, connections: [] }
      const held: Held = { record, order: ++made }
      clients.set(id, held)
      changed(held, [...topics.keys()], [])
      expiring.add(held, ttlMs)
      return record
    },

    async find(id) {
      return clients.get(id)?.record
    },

    async changeTopics(id, subscribe, unsubscribe) {
      const held = clients.get(id)
      if (held === undefined) return undefined
      const topics = new Map(held.record.topics)
      const removed = unsubscribe.filter((topic) => topics.delete(topic))
      const added = [...subscribe.keys()].filter((topic) => !topics.has(topic))
      for (const topic of added) topics.set(topic, subscribe.get(topic)!)
      if (added.length + removed.length > 0) {
        held.record = { ...held.record, topics }
        changed(held, added, removed)
      }
      return held.record
    },

    async remove(id) {
      const held = clients.get(id)
      if (held === undefined) return false
      remove(held, 'removed')
      return true
    },

    async attach(id, connection) {
      const held = clients.get(id)
      if (held === undefined) return undefined
      const before = held.record
      expiring.delete(held, before.ttlMs)
      held.record = withConnections(
        before,
        before.connections.concat(connection),
        before.wasConnected,
      )
      return before
    },

    async detach(id, connectionId, opened) {
      const held = clients.get(id)
      if (held === undefined) return
      const connections = held.record.connections.filter(
        (connection) => connection.id !== connectionId,
      )
      if (connections.length === held.record.connections.length) return
      held.record = withConnections(held.record, connections, held.record.wasConnected || opened)
      if (connections.length === 0) expiring.add(held, held.record.ttlMs)
    },

    async list(query) {
      const after = placeOf(query.after)
      const wanted: Held[] = []
      const limit = query.limit ?? DEFAULT_LIMIT
      for (const held of clients.values()) {
        if (held.order <= after || !isWanted(held.record, query)) continue
        wanted.push(held)
        if (wanted.length > limit) break
      }
      return pageOf(
        wanted,
        limit,
        (held) => String(held.order),
        (held) => held.record,
      )
    },

    async topics({ after, limit = DEFAULT_LIMIT }) {
      return topicsPageOf(subscribers, after, limit)
    },

    async count() {
      return clients.size
    },

    status() {
      const replicas = host === undefined ? [] : [{ replica: host.replica, isFresh: true }]
      return { isReady: host !== undefined, replicas }
    },

    async close() {
      expiring?.clear()
      clients.clear()
      subscribers.clear()
    },
  }

  function remove(held: Held, reason: 'removed' | 'expired'): void {
    expiring.delete(held, held.record.ttlMs)
    clients.delete(held.record.id)
    for (const topic of held.record.topics.keys()) count(topic, -1)
    host!.removed(held.record, reason)
  }

  function changed(held: Held, added: TopicPattern[], removed: TopicPattern[]): void {
    for (const topic of added) count(topic, 1)
    for (const topic of removed) count(topic, -1)
    host!.changed(held.record, { added, removed, isLate: false })
  }

  function count(topic: TopicPattern, by: number): void {
    const now = (subscribers.get(topic) ?? 0) + by
    if (now === 0) subscribers.delete(topic)
    else subscribers.set(topic, now)
  }
}

interface Held {
  record: ClientRecord
  /** Clients are listed in the order in which they were made. */
  readonly order: number
}

/** Field by field: a spread makes an object of two parts, and there may be very many of these. */
function withConnections(
  { id, ttlMs, metadata, topics, madeAt }: ClientRecord,
  connections: readonly ConnectionInfo[],
  wasConnected: boolean,
): ClientRecord {
  return { id, ttlMs, metadata, topics, madeAt, wasConnected, connections }
}

function isWanted(record: ClientRecord, { topic, connected }: ClientQuery): boolean {
  if (topic !== undefined && !record.topics.has(topic)) return false
  return connected === undefined || connected === record.connections.length > 0
}
