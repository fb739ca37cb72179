import { randomUUID } from 'node:crypto'
import { startBalancer } from './balancer.ts'
import type { BrokerUnderTest, Door } from './cluster-mode.ts'
import { Replica, reservePorts } from './replica.ts'
import { until } from './until.ts'

/** How many replicas a cluster of the tests has. */
export const REPLICAS = 3

/** Relays over one broker behind balancers that know no stickiness; they end with the test. */
export interface Cluster {
  readonly replicas: readonly Replica[]
  /** The way of each. */
  readonly doors: readonly Door[]
  /** Events of the next replica in turn. */
  readonly events: string
  /** HTTP API of the next replica in turn. */
  readonly api: string
  /** Resolves once all replicas know all clients and reach the broker. */
  ready(): Promise<void>
}

/** Starts a cluster of its own namespace. */
export async function startCluster(
  broker: BrokerUnderTest,
  args: readonly string[] = [],
): Promise<Cluster> {
  const common = ['--namespace', `test-${randomUUID()}`, '--driver.start-timeout-ms', '0', ...args]
  const ports = await Promise.all(Array.from({ length: REPLICAS }, reservePorts))
  const doors = await broker.doorsFor(ports.map(({ api }) => api))
  const replicas = doors.map((door, i) => new Replica(ports[i]!, [...door.args, ...common]))
  await Promise.all(replicas.map((replica) => replica.start()))
  // A client that is made here is not to be connected here as well.
  const [first, ...others] = replicas.map(({ eventsPort }) => eventsPort)
  const events = await startBalancer([...others, first!])
  const api = await startBalancer(replicas.map(({ apiPort }) => apiPort))
  const cluster: Cluster = {
    replicas,
    doors,
    events: `http://127.0.0.1:${events}/events`,
    api: `http://127.0.0.1:${api}/v1`,
    ready: () =>
      until('all replicas are ready', 30_000, async () => {
        const ready = await Promise.all(replicas.map((replica) => replica.isReady()))
        return ready.every(Boolean)
      }),
  }
  await cluster.ready()
  return cluster
}
