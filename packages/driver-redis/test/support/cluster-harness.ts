import { Buffer } from 'node:buffer'
import { type Broker, startBroker, startProxy, type TcpProxy } from '@asbru/brokers'
import type { DriverHarness } from '@asbru/driver-contract'
import { type ClusterConnection, redisDriver } from '@asbru/driver-redis'
import type { Way } from '@asbru/trials'
import { Cluster } from 'ioredis'
import { afterAll } from 'vitest'

/** A cluster of three masters for the tests of one file, and a proxy before each of them. */
export interface ClusterUnderTest {
  readonly broker: Broker
  readonly proxies: readonly TcpProxy[]
  /** What a driver connects to: the proxies. */
  readonly connection: ClusterConnection
  /** Of any other program: past the proxies. */
  readonly plain: Cluster
}

/** Starts a cluster that ends with the tests of the file. */
export async function clusterUnderTest(): Promise<ClusterUnderTest> {
  const broker = await startBroker('redis', { cluster: true })
  const ports = Object.values(broker.ports)
  const proxies = await Promise.all(ports.map((port) => startProxy({ port })))
  const natMap = Object.fromEntries(
    ports.map((port, i) => [`127.0.0.1:${port}`, { host: '127.0.0.1', port: proxies[i]!.port }]),
  )
  const nodes = proxies.map(({ port }) => `redis://127.0.0.1:${port}`)
  const plain = new Cluster([broker.url])
  plain.on('error', () => {})
  afterAll(async () => {
    plain.disconnect()
    for (const proxy of proxies) await proxy.stop()
    await broker.stop()
  })
  return { broker, proxies, connection: { nodes, natMap }, plain }
}

/** What the contract suite needs. */
export function clusterHarness({ proxies, connection, plain }: ClusterUnderTest): DriverHarness {
  return {
    name: 'redis sharded',
    create: async () => ({
      driver: redisDriver({ mode: 'sharded', connection, startTimeoutMs: 1_000 }),
      dispose: async () => {},
    }),
    async publishPlain({ topic, payload }) {
      await plain.spublish(topic, Buffer.from(payload))
    },
    async breakConnection() {
      for (const proxy of proxies) proxy.cut()
    },
    async restoreConnection() {
      for (const proxy of proxies) proxy.resume()
    },
  }
}

/** What the trials need. */
export function clusterWay({ broker, connection }: ClusterUnderTest): Way {
  return {
    name: 'redis sharded',
    driver: (at, options) =>
      redisDriver({
        mode: 'sharded',
        connection: at === 'proxy' ? connection : broker.url,
        ...options,
      }),
    tellsGapOfOutage: true,
    tellsGapOfCut: true,
    keepsAll: false,
    absence: { code: 'ECONNREFUSED' },
    refusesWithinMs: 2_000,
  }
}
