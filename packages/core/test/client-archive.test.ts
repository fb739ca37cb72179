import type { StoreReplica } from '@asbru/trials/store-cluster'
import { expect, test } from 'vitest'
import type { ArchivedClient, ClientArchive } from '../src/index.ts'
import { BEAT_MS, client, errorOf, newCluster, started, TTL_MS } from './support/manual-cluster.ts'

test('an archive that fails at the start may be tried again', async () => {
  const archive = new MapArchive()
  archive.error = new Error('not there yet')
  const { cluster, pass } = newCluster({ archive })
  const one = cluster.add()
  await expect(cluster.open(one)).rejects.toThrow('not there yet')
  archive.error = undefined
  const opened = cluster.open(one)
  await pass(8 * BEAT_MS)
  await opened
  expect(one.store.status().isReady).toBe(true)
})

test('keeps clients where they outlive all replicas, and answers a change only then', async () => {
  const archive = new MapArchive()
  const { pass, cluster, replicas, answered } = await started(1, { archive })
  const [one] = replicas as [StoreReplica, StoreReplica]
  await answered(one.store.create(client('a', ['news'])))
  expect(archive.kept.get('a')!.topics).toEqual([['news', expect.any(String), true]])
  archive.error = new Error('not now')
  const changed = one.store.changeTopics('a', new Map([['more', 0]]), [])
  const outcome = errorOf(changed)
  await pass(BEAT_MS)
  expect(await outcome).toMatchObject({ code: 'CHANGE_TIMEOUT' })
  archive.error = undefined
  await answered(one.store.close())
  cluster.cut.add(one)
  const next = cluster.add()
  const opened = cluster.open(next)
  await pass(8 * BEAT_MS)
  await opened
  expect([...next.clients.keys()]).toEqual(['a'])
})

test('a removal that could not be kept can be tried again', async () => {
  const archive = new MapArchive()
  const { pass, replicas, answered } = await started(1, { archive })
  const [one] = replicas as [StoreReplica]
  await answered(one.store.create(client('a')))
  archive.error = new Error('not now')
  const removed = errorOf(one.store.remove('a'))
  await pass(BEAT_MS)
  expect(await removed).toMatchObject({ code: 'CHANGE_TIMEOUT' })
  archive.error = undefined
  expect(await one.store.remove('a')).toBe(false)
  const { born, gone } = archive.kept.get('a')!
  expect(gone > born).toBe(true)
})

test('one that expired is not kept anew when it is removed', async () => {
  const archive = new MapArchive()
  const { pass, answered, replicas } = await started(1, { archive })
  const [one] = replicas as [StoreReplica]
  await answered(one.store.create(client('a')))
  await pass(2 * TTL_MS)
  expect(one.removed).toEqual([['a', 'expired']])
  archive.kept.clear()
  expect(await one.store.remove('a')).toBe(false)
  expect([...archive.kept.keys()]).toEqual([])
})

test('a client is kept for as long as it may live after its connection', async () => {
  const archive = new MapArchive()
  const { pass, replicas } = await started(1, { archive })
  const [one] = replicas as [StoreReplica]
  for (const [id, ttlMs] of Object.entries({
    usual: TTL_MS,
    patient: 5 * TTL_MS,
    hasty: TTL_MS / 2,
  })) {
    const made = one.store.create({ ...client(id), ttlMs })
    await pass(BEAT_MS / 2)
    await made
    await one.attach(id, `of ${id}`)
  }
  await pass(TTL_MS)
  expect(archive.touched).toEqual({
    usual: 2 * TTL_MS,
    patient: 10 * TTL_MS,
    hasty: 2 * TTL_MS,
  })
})

/** Keeps clients for as long as the test runs. */
class MapArchive implements ClientArchive {
  readonly kept = new Map<string, ArchivedClient>()
  /** For how long each was kept when it was last touched, in milliseconds. */
  readonly touched: Record<string, number> = {}
  /** What every call is answered with, for as long as it is set. */
  error: Error | undefined

  async open(): Promise<void> {
    this.#mayFail()
  }

  async *load(): AsyncGenerator<ArchivedClient> {
    this.#mayFail()
    yield* this.kept.values()
  }

  async save(saved: ArchivedClient): Promise<void> {
    this.#mayFail()
    this.kept.set(saved.id, saved)
  }

  async touch(ids: readonly string[], expiresInMs: number): Promise<void> {
    this.#mayFail()
    for (const id of ids) this.touched[id] = expiresInMs
  }

  async close(): Promise<void> {}

  #mayFail(): void {
    if (this.error !== undefined) throw this.error
  }
}
