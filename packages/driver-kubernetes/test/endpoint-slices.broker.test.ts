import { type Broker, startBroker } from '@asbru/brokers'
import { endpointSlices } from '@asbru/driver-kubernetes'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { Cluster } from './support/cluster.ts'
import { ApiProxy } from './support/api-proxy.ts'

// The first use on a machine builds the API.
const BUILD_MS = 600_000
/** Within this the list of peers follows. */
const SOON_MS = 5_000

let broker: Broker<'kubernetes'>
let cluster: Cluster

beforeEach(async () => {
  broker = await startBroker('kubernetes')
  cluster = new Cluster(broker)
  await cluster.prepare()
}, BUILD_MS)
afterEach(() => broker.stop())

test('follows endpoints that are added, made unready, and removed', async () => {
  const { expectPeers } = await find()
  await expectPeers([])
  await cluster.put('a', [{ address: '10.0.0.1' }, { address: '10.0.0.2' }])
  await expectPeers(['10.0.0.1:7070', '10.0.0.2:7070'])
  await cluster.put('a', [
    { address: '10.0.0.1' },
    { address: '10.0.0.2', conditions: { ready: false } },
  ])
  await expectPeers(['10.0.0.1:7070', '(10.0.0.2:7070)'])
  await cluster.put('a', [{ address: '10.0.0.1' }])
  await expectPeers(['10.0.0.1:7070'])
  await cluster.delete('a')
  await expectPeers([])
})

test('merges slices, of IPv4 and of IPv6, and passes over those of other Services', async () => {
  await cluster.put('a', [{ address: '10.0.0.1' }, { address: '10.0.0.2' }])
  await cluster.put('b', [{ address: '10.0.0.2', conditions: { ready: false } }])
  await cluster.put('c', [{ address: 'fd00::1' }], 'IPv6')
  await cluster.putForeign('other')
  const { expectPeers } = await find()
  await expectPeers(['10.0.0.1:7070', '10.0.0.2:7070', '[fd00::1]:7070'])
  await cluster.delete('a')
  await expectPeers(['(10.0.0.2:7070)', '[fd00::1]:7070'])
})

test('keeps a pod that ends while it still serves', async () => {
  const ending = { ready: false, serving: true, terminating: true }
  const ended = { ready: false, serving: false, terminating: true }
  await cluster.put('a', [
    { address: '10.0.0.1', conditions: ending },
    { address: '10.0.0.2', conditions: ended },
  ])
  const { expectPeers } = await find()
  await expectPeers(['10.0.0.1:7070', '(10.0.0.2:7070)'])
})

test('keeps what it knows while the API is gone, and follows it when it is back', async () => {
  await cluster.put('a', [{ address: '10.0.0.1' }])
  const { expectPeers, lost } = await find()
  await broker.kill()
  await vi.waitFor(() => expect(lost.length).toBeGreaterThan(0), SOON_MS)
  await expectPeers(['10.0.0.1:7070'])
  await broker.start()
  await cluster.put('a', [{ address: '10.0.0.2' }])
  await expectPeers(['10.0.0.2:7070'])
  await cluster.renewToken()
  await cluster.put('a', [{ address: '10.0.0.3' }])
  await expectPeers(['10.0.0.3:7070'])
})

test('asks an API that refuses it ever less often, and follows it when it is back', async () => {
  const proxy = await ApiProxy.start(broker)
  const { expectPeers } = await find(proxy.url)
  await expectPeers([])
  proxy.refuse()
  const since = performance.now()
  await vi.waitFor(() => expect(performance.now() - since).toBeGreaterThan(8_000), 10_000)
  expect(proxy.refused).toBeGreaterThan(3)
  expect(proxy.refused).toBeLessThan(12)
  proxy.isRefusing = false
  await cluster.put('a', [{ address: '10.0.0.1' }])
  await expectPeers(['10.0.0.1:7070'])
})

test('lists anew when what it watched from is forgotten, which is a 410 inside a 200', async () => {
  const proxy = await ApiProxy.start(broker)
  await cluster.put('a', [{ address: '10.0.0.1' }])
  const { expectPeers, lost } = await find(proxy.url)
  await expectPeers(['10.0.0.1:7070'])
  // The watch goes silent, the API forgets, and the watch ends in order.
  await proxy.endWatches(async () => {
    await cluster.putForeign('newer')
    await broker.kill()
    await broker.start()
    await cluster.put('a', [{ address: '10.0.0.2' }])
  })
  await expectPeers(['10.0.0.2:7070'])
  expect(lost).toEqual([])
  // A list and a watch, the watch that was told of the 410, and both again.
  await vi.waitFor(() => expect(proxy.requests).toHaveLength(5), SOON_MS)
  expect(proxy.watches).toBe(3)
})

test('notices within 90 seconds that a watch went silent', { timeout: 150_000 }, async () => {
  const proxy = await ApiProxy.start(broker)
  const { expectPeers, lost } = await find(proxy.url)
  await expectPeers([])
  await proxy.silence()
  await cluster.put('a', [{ address: '10.0.0.1' }])
  await vi.waitFor(() => expect(lost).toHaveLength(1), 90_000)
  await expectPeers(['10.0.0.1:7070'])
})

test('goes on where a watch has ended in order, without a list', async () => {
  const proxy = await ApiProxy.start(broker)
  const { expectPeers, lost } = await find(proxy.url)
  for (const watches of [1, 2, 3]) {
    await vi.waitFor(() => expect(proxy.watches).toBe(watches), SOON_MS)
    await proxy.endWatches(() => cluster.put('a', [{ address: `10.0.0.${watches}` }]))
    await expectPeers([`10.0.0.${watches}:7070`])
  }
  expect(proxy.requests.length - proxy.watches).toBe(1)
  expect(lost).toEqual([])
})

/** Starts to find peers, until the test is over. */
async function find(url = broker.url): Promise<{
  expectPeers: (peers: readonly string[]) => Promise<void>
  lost: unknown[]
}> {
  const finder = endpointSlices({
    service: 'asbru',
    namespace: 'relays',
    port: 7070,
    api: { ...cluster.api, url },
  })
  let peers: string[] | undefined
  const lost: unknown[] = []
  onTestFinished(() => finder.stop())
  await finder.start({
    found: (found) => {
      peers = found.map(({ address, ready }) => (ready ? address : `(${address})`)).toSorted()
    },
    lost: (error) => void lost.push(error),
  })
  return {
    lost,
    expectPeers: (wanted) =>
      vi.waitFor(() => expect(peers).toEqual(wanted.toSorted()), {
        timeout: SOON_MS,
        interval: 20,
      }),
  }
}
