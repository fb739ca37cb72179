import { setImmediate } from 'node:timers/promises'
import { type Copy, StoreCluster } from '@asbru/trials/store-cluster'
import { replicatedClientStore, type ReplicatedClientStoreOptions } from '../../src/index.ts'
import { ManualClock } from './manual-clock.ts'

export const BEAT_MS = 100
export const CHANGE_TIMEOUT_MS = 2_000
export const TTL_MS = 10_000

/** A cluster whose clock stands still until `pass` moves it. */
export function newCluster(
  options: ReplicatedClientStoreOptions & { maxConnectionsPerClient?: number } = {},
) {
  const clock = new ManualClock()
  const { maxConnectionsPerClient, ...settings } = options
  const cluster = new StoreCluster({
    clock,
    clientTtlMs: TTL_MS,
    ...(maxConnectionsPerClient !== undefined && { maxConnectionsPerClient }),
    makeStore: () =>
      replicatedClientStore({ beatMs: BEAT_MS, changeTimeoutMs: CHANGE_TIMEOUT_MS, ...settings }),
  })
  /** Lets time pass, in steps that leave messages their turn. */
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 2) {
      clock.advance(2)
      await setImmediate()
    }
  }
  /** What a call comes to within a beat. */
  const answered = async <Value>(call: Promise<Value>): Promise<Value> => {
    await pass(BEAT_MS)
    return call
  }
  return { clock, cluster, pass, answered }
}

/** A cluster whose replicas are in step. */
export async function started(count: number, options: Parameters<typeof newCluster>[0] = {}) {
  const { cluster, pass, answered } = newCluster(options)
  const starting = cluster.start(count)
  await pass(10 * BEAT_MS)
  return { cluster, pass, answered, replicas: await starting }
}

/** A client to be made, with an id that nobody chose. */
export function client(id: string, topics: readonly string[] = []) {
  const subscribed = new Map(topics.map((topic) => [topic, 0]))
  return { id, isIdChosen: false, ttlMs: TTL_MS, metadata: {}, topics: subscribed, madeAt: '' }
}

/** What a call is refused with. */
export function errorOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => undefined,
    (error: unknown) => error,
  )
}

/** What an unsigned message is. */
export function kindOf({ bytes }: Copy): string {
  return (JSON.parse(Buffer.from(bytes).toString()) as { kind: string }).kind
}
