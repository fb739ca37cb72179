import { setTimeout } from 'node:timers/promises'
import type { ClientRecord, ClientStore, NewClient, StreamerError } from '@asbru/core'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { StoreCluster, type StoreClusterOptions, type StoreReplica } from './store-cluster.ts'

const TTL_MS = 400

/** How a store is tried. */
export interface ClientStoreHarness {
  /** A new store; those of one test share what they share with others. */
  readonly makeStore: () => ClientStore
  /** How many replicas take part. */
  readonly replicas: number
}

/** What every store of clients keeps to: each test asks one replica after the other. */
export function describeClientStore(name: string, harness: () => ClientStoreHarness): void {
  describe(`${name}: keeps clients`, () => {
    test('a client is there, for all replicas, once it was made', async () => {
      const turns = await started(harness())
      await turns.next().create(client('a', ['news', 'pets.*'], { metadata: { user: 7 } }))
      for (const { store, clients } of turns.replicas) {
        expect(await store.find('a')).toMatchObject({
          id: 'a',
          ttlMs: TTL_MS,
          metadata: { user: 7 },
          madeAt: 'cursor',
          wasConnected: false,
          connections: [],
        })
        expect(topicsOf(await store.find('a'))).toEqual(['news', 'pets.*'])
        expect(topicsOf(clients.get('a'))).toEqual(['news', 'pets.*'])
      }
      expect(await sure(() => turns.next().find('b'))).toBeUndefined()
    })

    test('an id that is taken is refused, and its client left alone', async () => {
      const turns = await started(harness())
      await turns.next().create(client('a', ['news'], { isIdChosen: true }))
      for (const { store } of turns.replicas) {
        const again = store.create(client('a', ['others'], { isIdChosen: true }))
        await expect(again).rejects.toMatchObject({ code: 'CLIENT_EXISTS' })
      }
      expect(topicsOf(await turns.next().find('a'))).toEqual(['news'])
    })

    test('of those who choose one id at the same time, one gets it', async () => {
      const turns = await started(harness())
      const tries = await Promise.allSettled(
        ['one', 'two', 'three'].map((topic) =>
          turns.next().create(client('a', [topic], { isIdChosen: true })),
        ),
      )
      const won = tries.filter(({ status }) => status === 'fulfilled')
      expect(won).toHaveLength(1)
      const topics = topicsOf((won[0] as PromiseFulfilledResult<ClientRecord>).value)
      for (const { store } of turns.replicas) {
        expect(topicsOf(await store.find('a'))).toEqual(topics)
      }
      const refused = tries.flatMap((each) =>
        each.status === 'rejected' ? [each.reason.code] : [],
      )
      expect(refused).toEqual(['CLIENT_EXISTS', 'CLIENT_EXISTS'])
    })

    test('topics are added and taken away', async () => {
      const turns = await started(harness())
      await turns.next().create(client('a', ['news']))
      const more = await turns.next().changeTopics('a', new Map([['pets.*', 5]]), [])
      expect(topicsOf(more)).toEqual(['news', 'pets.*'])
      const other = await turns.next().changeTopics('a', new Map([['cars', 6]]), ['news', 'none'])
      expect(topicsOf(other)).toEqual(['cars', 'pets.*'])
      for (const { store, clients } of turns.replicas) {
        expect(topicsOf(await store.find('a'))).toEqual(['cars', 'pets.*'])
        expect(topicsOf(clients.get('a'))).toEqual(['cars', 'pets.*'])
      }
      const unknown = () => turns.next().changeTopics('b', new Map([['news', 7]]), [])
      expect(await sure(unknown)).toBeUndefined()
    })

    test('a topic holds from where its caller noted it, also when it is asked for again', async () => {
      const turns = await started(harness())
      const [{ store }] = turns.replicas as [StoreReplica]
      await store.create(client('a'))
      await store.changeTopics('a', new Map([['news', 1_000]]), [])
      const again = await store.changeTopics('a', new Map([['news', 2_000]]), [])
      expect(again!.topics.get('news')).toBe(1_000)
    })

    test('a client that is removed is gone everywhere, once', async () => {
      const turns = await started(harness())
      await turns.next().create(client('a', ['news']))
      expect(await turns.next().remove('a')).toBe(true)
      for (const { store, clients, removed } of turns.replicas) {
        expect(await store.find('a')).toBeUndefined()
        expect([...clients.keys()]).toEqual([])
        expect(removed).toEqual([['a', 'removed']])
      }
      expect(await turns.next().remove('a')).toBe(false)
      expect(await turns.next().topics({})).toEqual({ items: [] })
    })

    test('one that is made again under its id has nothing of before', async () => {
      const turns = await started(harness())
      await turns.next().create(client('a', ['news'], { metadata: { user: 7 } }))
      await turns.next().remove('a')
      await turns.next().create(client('a', ['pets']))
      for (const { store } of turns.replicas) {
        const found = await store.find('a')
        expect(topicsOf(found)).toEqual(['pets'])
        expect(found!.metadata).toEqual({})
      }
    })

    test('connections are known everywhere, and that there were some', async () => {
      const turns = await started(harness())
      await turns.next().create(client('a'))
      const [first] = turns.replicas
      const last = turns.replicas.at(-1)!
      const connections = [await first!.attach('a', 'one'), await last.attach('a', 'two')]
      await everywhere(turns, async (store) => {
        const found = await store.find('a')
        expect(found!.connections.map(({ id }) => id).toSorted()).toEqual(['one', 'two'])
        expect(found!.connections).toEqual(expect.arrayContaining(connections))
      })
      await first!.store.detach('a', 'one', true)
      await last.store.detach('a', 'two', false)
      await first!.store.detach('a', 'never there', true)
      await everywhere(turns, async (store) => {
        expect(await store.find('a')).toMatchObject({ connections: [], wasConnected: true })
      })
      const unknown = () => first!.store.attach('b', { id: 'one', replica: first!.id, since: 1 })
      expect(await sure(unknown)).toBeUndefined()
    })

    test('a connection that was never opened was none', async () => {
      const turns = await started(harness())
      await turns.next().create(client('a'))
      const [first] = turns.replicas
      await first!.attach('a', 'one')
      await first!.store.detach('a', 'one', false)
      await everywhere(turns, async (store) => {
        expect(await store.find('a')).toMatchObject({ connections: [], wasConnected: false })
      })
    })

    test('a client expires everywhere, but not while it is connected', async () => {
      const turns = await started(harness())
      await turns.next().create(client('idle', ['news']))
      await turns.next().create(client('held', ['news']))
      await turns.next().create(client('patient', [], { ttlMs: 20 * TTL_MS }))
      const [first] = turns.replicas
      await first!.attach('held', 'one')
      await vi.waitFor(() => {
        for (const { removed } of turns.replicas) expect(removed).toEqual([['idle', 'expired']])
      }, 10_000)
      await everywhere(turns, async (store) => {
        expect(await store.find('idle')).toBeUndefined()
        expect(await store.find('held')).toBeDefined()
        expect(await store.find('patient')).toBeDefined()
        expect(await store.topics({})).toEqual({ items: [{ topic: 'news', subscribers: 1 }] })
      })
      await first!.store.detach('held', 'one', true)
      await vi.waitFor(() => {
        for (const { removed } of turns.replicas)
          expect(removed).toContainEqual(['held', 'expired'])
      }, 10_000)
    })

    test('lists show each client once, a page at a time', async () => {
      const turns = await started(harness())
      const ids = Array.from({ length: 25 }, (_, i) => `client-${i}`)
      for (const id of ids)
        await turns.next().create(client(id, Number(id.slice(7)) % 5 ? [] : ['news']))
      const [first] = turns.replicas
      await first!.attach('client-3', 'one')
      await everywhere(turns, async (store) => {
        expect(await store.count()).toBe(25)
        expect(await listed(store, { limit: 7 })).toEqual(ids.toSorted())
        expect(await listed(store, { topic: 'news', limit: 2 })).toEqual(
          ids.filter((_, i) => i % 5 === 0).toSorted(),
        )
        expect(await listed(store, { connected: true })).toEqual(['client-3'])
        expect(await listed(store, { connected: false })).toHaveLength(24)
      })
      await expect(turns.next().list({ after: 'no place' })).rejects.toMatchObject({
        code: 'INVALID_REQUEST',
      })
    })

    test('topics are listed with their subscribers, a page at a time', async () => {
      const turns = await started(harness())
      await turns.next().create(client('a', ['x', 'y', 'z.*']))
      await turns.next().create(client('b', ['y']))
      for (const { store } of turns.replicas) {
        const first = await store.topics({ limit: 2 })
        expect(first.items).toEqual([
          { topic: 'x', subscribers: 1 },
          { topic: 'y', subscribers: 2 },
        ])
        const rest = await store.topics({ after: first.next!, limit: 2 })
        expect(rest).toEqual({ items: [{ topic: 'z.*', subscribers: 1 }] })
      }
    })

    test('says who shares the clients', async () => {
      const turns = await started(harness())
      await everywhere(turns, async (store) => {
        const { isReady, replicas } = store.status()
        expect(isReady).toBe(true)
        expect(replicas.map(({ replica }) => replica).toSorted()).toEqual(
          turns.replicas.map(({ id }) => id).toSorted(),
        )
      })
    })
  })
}

/** The replicas of one test, asked by turns. */
class Turns {
  readonly replicas: readonly StoreReplica[]
  #turn = 0

  constructor(replicas: readonly StoreReplica[]) {
    this.replicas = replicas
  }

  /** The store of the next replica. */
  next(): ClientStore {
    return this.replicas[this.#turn++ % this.replicas.length]!.store
  }
}

async function started({ makeStore, replicas }: ClientStoreHarness): Promise<Turns> {
  const options: StoreClusterOptions = { makeStore, clientTtlMs: TTL_MS }
  const cluster = new StoreCluster(options)
  onTestFinished(() => cluster.close())
  return new Turns(await cluster.start(replicas))
}

/** Passes once it holds at every replica: connections are announced, but not waited for. */
async function everywhere(
  turns: Turns,
  check: (store: ClientStore) => Promise<void>,
): Promise<void> {
  await vi.waitFor(() => Promise.all(turns.replicas.map(({ store }) => check(store))), 10_000)
}

/** What a store answers once it is sure: while nobody may know of a client, it says that it is not. */
async function sure<Value>(ask: () => Promise<Value>): Promise<Value> {
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if ((error as StreamerError).code !== 'NOT_READY') throw error
      await setTimeout(TTL_MS / 10)
    }
  }
}

async function listed(store: ClientStore, query: Parameters<ClientStore['list']>[0]) {
  const ids: string[] = []
  let after: string | undefined
  do {
    const page = await store.list({ ...query, ...(after !== undefined && { after }) })
    ids.push(...page.items.map(({ id }) => id))
    after = page.next
  } while (after !== undefined)
  return ids.toSorted()
}

function client(
  id: string,
  topics: readonly string[] = [],
  options: Partial<Pick<NewClient, 'isIdChosen' | 'metadata' | 'ttlMs'>> = {},
): NewClient {
  const subscribed = new Map(topics.map((topic) => [topic, 0]))
  return {
    id,
    isIdChosen: false,
    ttlMs: TTL_MS,
    metadata: {},
    topics: subscribed,
    madeAt: 'cursor',
    ...options,
  }
}

function topicsOf(record: ClientRecord | undefined): string[] {
  return [...record!.topics.keys()].toSorted()
}
