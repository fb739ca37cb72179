import type { StoreReplica } from '@asbru/trials/store-cluster'
import { expect, test } from 'vitest'
import type { ArchivedClient, ClientArchive } from '../src/index.ts'
import { BEAT_MS, client, errorOf, newCluster, started } from './support/manual-cluster.ts'

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
  const { pass, cluster, replicas } = await started(1, { archive })
  const [one] = replicas as [StoreReplica, StoreReplica]
  const made = one.store.create(client('a', ['news']))
  await pass(BEAT_MS)
  await made
  expect(archive.kept.get('a')!.topics).toEqual([['news', expect.any(String), true]])
  archive.error = new Error('not now')
  const changed = one.store.changeTopics('a', new Map([['more', 0]]), [])
  const outcome = errorOf(changed)
  await pass(BEAT_MS)
  expect(await outcome).toMatchObject({ code: 'CHANGE_TIMEOUT' })
  archive.error = undefined
  const closed = one.store.close()
  await pass(BEAT_MS)
  await closed
  cluster.cut.add(one)
  const next = cluster.add()
  const opened = cluster.open(next)
  await pass(8 * BEAT_MS)
  await opened
  expect([...next.clients.keys()]).toEqual(['a'])
})

/** Keeps clients for as long as the test runs. */
class MapArchive implements ClientArchive {
  readonly kept = new Map<string, ArchivedClient>()
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

  async touch(): Promise<void> {
    this.#mayFail()
  }

  async close(): Promise<void> {}

  #mayFail(): void {
    if (this.error !== undefined) throw this.error
  }
}
