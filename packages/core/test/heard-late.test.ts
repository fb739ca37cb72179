import { setImmediate } from 'node:timers/promises'
import { StoreCluster, type StoreReplica } from '@asbru/trials/store-cluster'
import { expect, test } from 'vitest'
import { FROM_BEGINNING } from '../src/clients/client-store.ts'
import { replicatedClientStore } from '../src/index.ts'
import { ManualClock } from './support/manual-clock.ts'

const BEAT_MS = 100

test('a beat that was asked for again is none in the flow of the data', async () => {
  const { pass, cluster, one, two } = await started()
  cluster.arrives = ({ isForAll, from, to }) => !(isForAll && from === two.id && to === one.id)
  await pass(2 * BEAT_MS)
  const before = one.beats.length
  cluster.arrives = () => true
  // What shows the hole is no beat: those that are missing come before the next one.
  const made = two.store.create(client('a'))
  await pass(5 * BEAT_MS)
  await made
  const numbers = one.beats.slice(before).flatMap(([from, n]) => (from === two.id ? [n] : []))
  expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
  const last = one.beats.slice(0, before).findLast(([from]) => from === two.id)![1]
  expect(numbers[0]).toBeGreaterThan(last + 2)
})

test('a topic of which a replica hears late holds there from its beginning', async () => {
  const { pass, cluster, one, two } = await started()
  const made = two.store.create(client('a'))
  await pass(BEAT_MS)
  await made
  cluster.arrives = ({ isForAll, from, to }) => !(isForAll && from === two.id && to === one.id)
  const changed = two.store.changeTopics('a', new Map([['news', 7]]), [])
  await pass(BEAT_MS / 2)
  cluster.arrives = () => true
  await pass(3 * BEAT_MS)
  await changed
  expect(one.late).toEqual(['a'])
  expect(one.clients.get('a')!.topics.get('news')).toBe(FROM_BEGINNING)
})

/** Two replicas whose clock stands still until `pass` moves it. */
async function started() {
  const clock = new ManualClock()
  const makeStore = () => replicatedClientStore({ beatMs: BEAT_MS })
  const cluster = new StoreCluster({ clock, clientTtlMs: 10_000, makeStore })
  /** Lets time pass, in steps that leave messages their turn. */
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 2) {
      clock.advance(2)
      await setImmediate()
    }
  }
  const starting = cluster.start(2)
  await pass(10 * BEAT_MS)
  const [one, two] = (await starting) as [StoreReplica, StoreReplica]
  return { cluster, pass, one, two }
}

function client(id: string) {
  const topics = new Map<string, number>()
  return { id, isIdChosen: false, ttlMs: 10_000, metadata: {}, topics, madeAt: '' }
}
