import { Redis } from 'ioredis'
import { afterEach, expect, onTestFinished, test } from 'vitest'
import { clusterUnderTest } from './support/cluster-harness.ts'
import { bytes, opened, until } from './support/opened.ts'

const { broker, proxies, connection, plain } = await clusterUnderTest()

const sharded = { connection, mode: 'sharded' } as const
const SLOTS = 16_384

/** A topic for each of the three masters, in their order. */
const topics = await onEachMaster()

afterEach(() => {
  for (const proxy of proxies) proxy.resume()
})

async function onEachMaster(): Promise<[string, string, string]> {
  const found: string[] = []
  for (let i = 0; found.filter(Boolean).length < 3; i++) {
    const slot = await plain.cluster('KEYSLOT', `topic-${i}`)
    found[Math.floor((slot * 3) / SLOTS)] ??= `topic-${i}`
  }
  return found as [string, string, string]
}

/** A connection to one node alone. */
function nodeAt(index: number): Redis {
  const node = new Redis({ port: broker.ports[`node-${index + 1}`]! })
  onTestFinished(() => node.disconnect())
  return node
}

test('refuses patterns, which sharded pub/sub does not have', async () => {
  const { driver } = await opened(sharded)
  await expect(driver.subscribe('pets.*')).rejects.toThrow('no patterns')
})

test('subscribes each topic on the master of its slot alone', async () => {
  await opened(sharded, ...topics)
  for (const [i, topic] of topics.entries())
    expect(await nodeAt(i).call('PUBSUB', 'SHARDCHANNELS')).toEqual([topic])
})

test('finds the cluster by one of its nodes, by a URL, or by a client', async () => {
  const { host, port } = { host: '127.0.0.1', port: broker.port }
  const ways = [
    { connection: broker.url },
    { connection: { host, port } },
    { client: plain },
    { client: nodeAt(1) },
  ] as const
  for (const way of ways) {
    const reader = await opened({ ...way, mode: 'sharded' }, ...topics)
    for (const topic of topics) await reader.driver.publish({ topic, payload: bytes(topic) })
    await until(() => reader.messages.length === 3)
    await reader.driver.close()
    expect(plain.status).toBe('ready')
  }
})

test('tells a gap of the topics of one master when its connection is lost, and only of these', async () => {
  const reader = await opened(sharded, ...topics)
  proxies[1]!.cut()
  await until(() => reader.told('reconnecting') === 1)
  await plain.spublish(topics[0], 'meanwhile')
  await until(() => reader.all.includes('meanwhile'))
  await expect(
    reader.driver.publish({ topic: topics[1], payload: bytes('lost') }),
  ).rejects.toBeInstanceOf(Error)
  proxies[1]!.resume()
  await until(() => reader.told('connected') === 2)
  expect(reader.statuses.filter(({ type }) => type === 'gap')).toEqual([
    { type: 'gap', reason: 'broker-reconnected', topics: [topics[1]] },
  ])
  await plain.spublish(topics[1], 'again')
  await until(() => reader.all.at(-1) === 'again')
})

test('goes on by itself when a node was killed and comes back', { timeout: 60_000 }, async () => {
  const reader = await opened(sharded, ...topics)
  await broker.kill({ only: 'node-3' })
  await until(() => reader.all.includes('reconnecting'))
  const begin = performance.now()
  await expect(
    reader.driver.publish({ topic: topics[2], payload: bytes('lost') }),
  ).rejects.toBeInstanceOf(Error)
  expect(performance.now() - begin).toBeLessThan(2_000)
  await broker.start()
  await until(() => reader.told('connected') === 2, 3_000)
  expect(reader.statuses.find(({ type }) => type === 'gap')).toMatchObject({ topics: [topics[2]] })
  for (const topic of topics) await reader.driver.publish({ topic, payload: bytes(topic) })
  await until(() => topics.every((topic) => reader.all.includes(topic)))
})

test('notices a link to one node that fell silent within 30 s', { timeout: 60_000 }, async () => {
  const reader = await opened(sharded, ...topics)
  proxies[0]!.stall()
  const begin = performance.now()
  await expect(
    reader.driver.publish({ topic: topics[0], payload: bytes('lost') }),
  ).rejects.toBeInstanceOf(Error)
  expect(performance.now() - begin).toBeLessThan(2_000)
  await until(() => reader.told('reconnecting') === 1, 30_000)
  proxies[0]!.resume()
  await until(() => reader.told('connected') === 2)
  expect(reader.statuses.find(({ type }) => type === 'gap')).toMatchObject({ topics: [topics[0]] })
})

test('follows a slot that moves to another node, and tells a gap of its topics', async () => {
  const reader = await opened(sharded, ...topics)
  const [from, to, other] = [nodeAt(0), nodeAt(1), nodeAt(2)]
  const slot = await plain.cluster('KEYSLOT', topics[0])
  await move(slot, from, to, other)
  await until(() => reader.gaps.length > 0)
  expect(reader.statuses.find(({ type }) => type === 'gap')).toMatchObject({ topics: [topics[0]] })
  expect(await to.call('PUBSUB', 'SHARDCHANNELS')).toContain(topics[0])
  await reader.driver.publish({ topic: topics[0], payload: bytes('moved') })
  await until(() => reader.all.includes('moved'))

  // One that has seen nothing of it asks the old node first.
  await move(slot, to, from, other)
  await reader.driver.publish({ topic: topics[0], payload: bytes('back') })
  await until(() => reader.gaps.length === 2)
  await reader.driver.publish({ topic: topics[0], payload: bytes('last') })
  await until(() => reader.all.includes('last'))
  expect(reader.told('last')).toBe(1)
  expect(reader.told('reconnecting')).toBe(0)
})

async function move(slot: number, from: Redis, to: Redis, other: Redis): Promise<void> {
  const [fromId, toId] = [
    String(await from.call('CLUSTER', 'MYID')),
    String(await to.call('CLUSTER', 'MYID')),
  ]
  await to.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId)
  await from.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId)
  for (const node of [to, from, other]) await node.call('CLUSTER', 'SETSLOT', slot, 'NODE', toId)
}
