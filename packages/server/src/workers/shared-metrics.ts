import type { Worker as ClusterWorker } from 'node:cluster'
import { AggregatorRegistry, type Registry } from 'prom-client'

/** A worker that does not answer by then is left out. */
const TIMEOUT_MS = 2_000

/** What a registry has, as it travels between processes. */
export type MetricsJson = Awaited<ReturnType<Registry['getMetricsAsJSON']>>

/** Between a worker and the process that started it: one asks, under a number of its own, and the other answers. */
export interface MetricsMessage {
  /** Of a worker: those of all are wanted. To a worker: its own are. */
  readonly wantMetrics?: number
  readonly metrics?: { readonly number: number; readonly of: readonly MetricsJson[] }
}

/** The other end of a channel between processes. */
interface Channel {
  on(event: 'message', listener: (message: MetricsMessage) => void): unknown
  off(event: 'message', listener: (message: MetricsMessage) => void): unknown
}

/** In a worker: lets others have its numbers, and returns what renders those of all, each with its worker's name. */
export function sharedMetrics(
  register: Registry,
  worker: ClusterWorker,
  name: string,
): () => Promise<string> {
  register.setDefaultLabels({ worker: name })
  process.on('message', ({ wantMetrics: number }: MetricsMessage) => {
    if (number === undefined) return
    const answer = async (): Promise<void> => {
      const metrics = { number, of: [await register.getMetricsAsJSON()] }
      if (worker.isConnected()) worker.send({ metrics } satisfies MetricsMessage)
    }
    void answer()
  })
  return async () => {
    const all = await ask(process, (wanted) => worker.send(wanted))
    return AggregatorRegistry.aggregate([...all]).metrics()
  }
}

/** In the process that started them: the numbers of all workers that answer. */
export async function metricsOfAll(workers: Iterable<ClusterWorker>): Promise<MetricsJson[]> {
  const asked = [...workers].map((worker) => ask(worker, (wanted) => worker.send(wanted)))
  return (await Promise.all(asked)).flat()
}

let lastNumber = 0

function ask(
  channel: Channel,
  send: (wanted: MetricsMessage) => void,
): Promise<readonly MetricsJson[]> {
  const number = ++lastNumber
  return new Promise((resolve) => {
    const end = (of: readonly MetricsJson[]): void => {
      clearTimeout(timeout)
      channel.off('message', take)
      resolve(of)
    }
    const take = ({ metrics }: MetricsMessage): void => {
      if (metrics?.number === number) end(metrics.of)
    }
    const timeout = setTimeout(() => end([]), TIMEOUT_MS)
    channel.on('message', take)
    send({ wantMetrics: number })
  })
}
