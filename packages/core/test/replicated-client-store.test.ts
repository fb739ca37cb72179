import { randomBytes } from 'node:crypto'
import type { Copy, StoreCluster, StoreReplica } from '@asbru/trials/store-cluster'
import { expect, test } from 'vitest'
import {
  BEAT_MS,
  CHANGE_TIMEOUT_MS,
  client,
  errorOf,
  kindOf,
  newCluster,
  started,
  TTL_MS,
} from './support/manual-cluster.ts'

test('a hole in what a replica sent is told with its next beat, once', async () => {
  const { pass, cluster, replicas } = await started(2)
  const [one, two] = replicas as [StoreReplica, StoreReplica]
  expect(one.beats).toContainEqual([two.id, expect.any(Number)])
  await losing(cluster, pass, two, one)
  await pass(10 * BEAT_MS)
  expect(one.holes).toEqual([two.id])
  expect(two.holes).toEqual([])
})

test('a hole that a gap of the driver has told of is not told again', async () => {
  const { pass, cluster, replicas } = await started(2)
  const [one, two] = replicas as [StoreReplica, StoreReplica]
  cluster.arrives = ({ to }) => to !== one.id
  await pass(BEAT_MS)
  one.store.driverSaid({ type: 'gap', reason: 'messages-dropped' })
  cluster.arrives = () => true
  await pass(5 * BEAT_MS)
  expect(one.holes).not.toContain(two.id)
})

test('a gap of the driver excuses no hole that comes after the next beat', async () => {
  const { pass, cluster, replicas } = await started(2)
  const [one, two] = replicas as [StoreReplica, StoreReplica]
  one.store.driverSaid({ type: 'gap', reason: 'messages-dropped' })
  await pass(3 * BEAT_MS)
  await losing(cluster, pass, two, one)
  expect(one.holes).toEqual([two.id])
})

test('what never reached the broker is no hole', async () => {
  const { pass, cluster, replicas } = await started(2)
  const [one, two] = replicas as [StoreReplica, StoreReplica]
  cluster.cut.add(two)
  await pass(2 * BEAT_MS)
  cluster.cut.delete(two)
  await pass(5 * BEAT_MS)
  expect(one.holes).toEqual([])
})

test('what one replica missed of a change it is sent again', async () => {
  const { pass, cluster, replicas } = await started(2)
  const [one, two] = replicas as [StoreReplica, StoreReplica]
  cluster.arrives = ({ isForAll, from, to }) => !(isForAll && from === two.id && to === one.id)
  const made = two.store.create(client('a', ['news']))
  await pass(BEAT_MS / 2)
  cluster.arrives = () => true
  await pass(3 * BEAT_MS)
  await made
  expect([...one.clients.keys()]).toEqual(['a'])
})

test('what is asked for again is asked once, however many messages it is', async () => {
  const { pass, cluster, replicas } = await started(2)
  const [one, two] = replicas as [StoreReplica, StoreReplica]
  cluster.arrives = ({ from, to }) => !(from === two.id && to === one.id)
  await pass(20 * BEAT_MS)
  cluster.arrives = () => true
  await pass(5 * BEAT_MS)
  expect(cluster.copies.filter((copy) => kindOf(copy) === 'again')).toHaveLength(1)
})

test('one that starts among others asks nobody for what its snapshot brings', async () => {
  const { pass, cluster, replicas, answered } = await started(2)
  await answered(replicas[0]!.store.create(client('a', ['news'])))
  const before = cluster.copies.length
  const late = cluster.add()
  const opened = cluster.open(late)
  await pass(5 * BEAT_MS)
  await opened
  expect([...late.clients.keys()]).toEqual(['a'])
  const asked = cluster.copies.slice(before).filter(({ from }) => from === late.id)
  expect(asked.map(kindOf)).not.toContain('again')
  expect(asked.map(kindOf)).toContain('want')
})

test('a topic that another replica cannot have yet is not acknowledged, and asked about once', async () => {
  const { pass, cluster, replicas } = await started(2)
  const [one, two] = replicas as [StoreReplica, StoreReplica]
  two.delivers = () => Promise.reject(new Error('not now'))
  const refused = one.store.create(client('a', ['news']))
  const outcome = errorOf(refused)
  await pass(CHANGE_TIMEOUT_MS + BEAT_MS)
  expect(await outcome).toMatchObject({ code: 'CHANGE_TIMEOUT' })
  const acks = cluster.copies.filter((copy) => kindOf(copy) === 'ack' && copy.from === two.id)
  expect(acks.length).toBeLessThan(5)
})

test('a topic that another replica gets late is answered then', async () => {
  const { pass, replicas } = await started(2)
  const [one, two] = replicas as [StoreReplica, StoreReplica]
  const { promise, resolve } = Promise.withResolvers<void>()
  two.delivers = () => promise
  let isAnswered = false
  const made = one.store.create(client('a', ['news'])).then(() => (isAnswered = true))
  await pass(BEAT_MS / 2)
  expect(isAnswered).toBe(false)
  resolve()
  await pass(BEAT_MS / 4)
  expect(isAnswered).toBe(true)
  await made
})

test('of more connections than a client may have, the oldest goes, wherever it is', async () => {
  const { pass, replicas, answered } = await started(2, { maxConnectionsPerClient: 2 })
  const [one, two] = replicas as [StoreReplica, StoreReplica]
  await answered(one.store.create(client('a')))
  await one.store.attach('a', { id: 'first', replica: one.id, since: 1 })
  await two.store.attach('a', { id: 'second', replica: two.id, since: 2 })
  await pass(BEAT_MS)
  expect([...one.evicted, ...two.evicted]).toEqual([])
  await two.store.attach('a', { id: 'third', replica: two.id, since: 3 })
  await pass(BEAT_MS)
  expect(one.evicted).toEqual([['a', 'first', 'too-many-connections']])
  expect(two.evicted).toEqual([])
})

test('a replica that closes says so: the others do not wait for it', async () => {
  const { pass, replicas, answered } = await started(2)
  const [one, two] = replicas as [StoreReplica, StoreReplica]
  await answered(two.store.create(client('a')))
  await two.attach('a', 'there')
  await pass(BEAT_MS)
  expect((await one.store.find('a'))!.connections).toHaveLength(1)
  const closed = two.store.close()
  await pass(BEAT_MS / 2)
  await closed
  expect((await one.store.find('a'))!.connections).toEqual([])
  expect(one.store.status().replicas).toEqual([{ replica: one.id, isFresh: true }])
  const removed = one.store.remove('a')
  await pass(BEAT_MS / 10)
  expect(await removed).toBe(true)
})

test('one that is not in step yet, or out of touch, is not ready', async () => {
  const { clock, cluster, pass } = newCluster()
  const one = cluster.add()
  await expect(one.store.find('a')).rejects.toMatchObject({ code: 'NOT_READY' })
  const opened = cluster.open(one)
  await expect(one.store.create(client('a'))).rejects.toMatchObject({ code: 'NOT_READY' })
  expect(one.store.status().isReady).toBe(false)
  await pass(8 * BEAT_MS)
  await opened
  expect(one.store.status().isReady).toBe(true)
  await pass(TTL_MS)
  expect(await one.store.find('nobody')).toBeUndefined()
  cluster.cut.add(one)
  clock.advance(5 * BEAT_MS)
  await expect(one.store.find('nobody')).rejects.toMatchObject({ code: 'NOT_READY' })
  expect(one.store.status().isReady).toBe(false)
})

test('one that a replica cannot be told of is told again by the digest', async () => {
  const { pass, cluster, replicas } = await started(2)
  const [one, two] = replicas as [StoreReplica, StoreReplica]
  // Neither the message nor the repetition of it comes through, and the change is given up.
  cluster.arrives = (copy) => !(copy.from === one.id && kindOf(copy) === 'record')
  const made = one.store.create(client('a', ['news']))
  const outcome = errorOf(made)
  await pass(CHANGE_TIMEOUT_MS + 20 * BEAT_MS)
  expect(await outcome).toMatchObject({ code: 'CHANGE_TIMEOUT' })
  expect([...two.clients.keys()]).toEqual(['a'])
})

test('a change that was answered holds though the replica that missed it was away for longer than the client is kept', async () => {
  const { pass, cluster, replicas, answered } = await started(2, { dormantMs: 5 * BEAT_MS })
  const [one, two] = replicas as [StoreReplica, StoreReplica]
  await answered(one.store.create({ ...client('a', ['news', 'pets']), ttlMs: 10 * BEAT_MS }))
  await one.attach('a', 'here')
  await pass(BEAT_MS)
  cluster.cut.add(one)
  await pass(6 * BEAT_MS)
  await answered(two.store.changeTopics('a', new Map(), ['news']))
  await pass(TTL_MS + 20 * BEAT_MS)
  expect([...two.clients.keys()]).toEqual([])
  // So much was told meanwhile that the change itself is not told again.
  cluster.arrives = (copy) => copy.isForAll || copy.to !== one.id || kindOf(copy) !== 'record'
  cluster.cut.delete(one)
  await pass(10 * BEAT_MS)
  for (const { clients } of replicas) expect([...clients.get('a')!.topics.keys()]).toEqual(['pets'])
})

test('whatever comes on the topics of control messages, it goes on', async () => {
  const { replicas, answered } = await started(2, { controlSecret: 'between us' })
  const [one, two] = replicas as [StoreReplica, StoreReplica]
  for (let length = 0; length < 200; length++) one.store.receive(randomBytes(length))
  for (const text of ['', '{}', '[]', 'null', '{"v":1}', '{"v":1,"namespace":"trial"}'])
    one.store.receive(Buffer.from(text))
  one.store.receive(Buffer.alloc(4 * 1024 * 1024, 'x'))
  await answered(two.store.create(client('a')))
  expect([...one.clients.keys()]).toEqual(['a'])
})

test('a change that is replayed undoes nothing', async () => {
  const { pass, cluster, replicas, answered } = await started(2, { controlSecret: 'between us' })
  const [one, two] = replicas as [StoreReplica, StoreReplica]
  await answered(one.store.create(client('a', ['news'])))
  const before = [...cluster.copies]
  await answered(two.store.remove('a'))
  for (const copy of before) for (const replica of replicas) cluster.replay(copy, replica)
  await pass(10 * BEAT_MS)
  for (const { clients, holes } of replicas) {
    expect([...clients.keys()]).toEqual([])
    expect(holes).toEqual([])
  }
})

test('a change is answered though a later beat overtook it on the way back', async () => {
  const { pass, cluster, replicas } = await started(2)
  const [one] = replicas as [StoreReplica, StoreReplica]
  const isOvertaken = (copy: Copy) => copy.to === one.id && kindOf(copy) === 'record'
  cluster.arrives = (copy) => !isOvertaken(copy)
  const made = one.store.create(client('a'))
  await pass(2 * BEAT_MS)
  cluster.replay(cluster.copies.find(isOvertaken)!, one)
  expect((await made).id).toBe('a')
})

test('a change holds on one that did not hear why the client lives still', async () => {
  const { pass, cluster, replicas, answered } = await started(2)
  const [one, two] = replicas as [StoreReplica, StoreReplica]
  await answered(one.store.create(client('a')))
  cluster.cut.add(one)
  await one.attach('a', 'unheard of')
  await pass(TTL_MS / 2)
  await one.store.detach('a', 'unheard of', true)
  await pass(BEAT_MS)
  cluster.cut.delete(one)
  await pass(TTL_MS / 2 - BEAT_MS)
  expect(two.removed).toEqual([['a', 'expired']])
  let heldThere: boolean | undefined
  const changed = one.store.changeTopics('a', new Map([['news', 0]]), [])
  const changing = changed.then(() => (heldThere = two.clients.get('a')?.topics.has('news')))
  await pass(BEAT_MS / 2)
  await changing
  expect(heldThere).toBe(true)
})

test('one that was away for as long keeps its connections of clients that exist', async () => {
  const { pass, cluster, replicas, answered } = await started(2, { tombstoneMs: 4_000 })
  const [one, two] = replicas as [StoreReplica, StoreReplica]
  await answered(one.store.create(client('a', ['news'])))
  await two.attach('a', 'kept')
  await pass(TTL_MS - 2_000)
  cluster.cut.add(two)
  await pass(5_000)
  cluster.cut.delete(two)
  await pass(20 * BEAT_MS)
  expect(two.removed).toEqual([])
  expect(two.evicted).toEqual([])
  for (const { clients } of replicas) expect([...clients.keys()]).toEqual(['a'])
})

test('one that was away for longer than removals are remembered brings nobody back', async () => {
  const { pass, cluster, replicas, answered } = await started(2, {
    tombstoneMs: 4_000,
    dormantMs: 1_000,
  })
  const [one, two] = replicas as [StoreReplica, StoreReplica]
  await answered(two.store.create(client('a', ['news'])))
  await two.attach('a', 'outlived')
  await pass(BEAT_MS)
  cluster.cut.add(two)
  await pass(6 * BEAT_MS)
  const removed = one.store.remove('a')
  await pass(TTL_MS + 2_000)
  expect(await removed).toBe(true)
  cluster.cut.delete(two)
  await pass(20 * BEAT_MS)
  for (const { clients } of replicas) expect([...clients.keys()]).toEqual([])
  expect(one.removed).toEqual([['a', 'removed']])
  expect(two.evicted).toContainEqual(['a', 'outlived', 'removed'])
})

/** One beat of `from` does not come to `to`. */
async function losing(
  cluster: StoreCluster,
  pass: (ms: number) => Promise<void>,
  from: StoreReplica,
  to: StoreReplica,
): Promise<void> {
  cluster.arrives = (copy) => copy.from !== from.id || copy.to !== to.id
  await pass(BEAT_MS)
  cluster.arrives = () => true
  await pass(2 * BEAT_MS)
}
