import cluster from 'node:cluster'
import type { Registry } from 'prom-client'
import type { Listening } from '../relay.ts'
import { sharedMetrics } from './shared-metrics.ts'

/** Names the worker, and says that the process is one. */
export const WORKER_VARIABLE = 'ASBRU_WORKER'

/** What a worker tells the process that started it: that it serves, and where. */
export interface WorkerServes {
  readonly listening: Listening
}

/** What a worker is told: to drain, and by which signal. */
export interface StopWorker {
  readonly stop: NodeJS.Signals
}

/** A worker, as it sees itself. */
export interface Worker {
  /** Its name among all replicas; the one that takes its place has it too. */
  readonly name: string
  /** Resolves when it is told to drain. */
  readonly stopped: Promise<NodeJS.Signals>
  /** Says that it serves. */
  serves(listening: Listening): void
  /** Lets the other workers have its numbers, and returns what renders those of all for Prometheus. */
  share(metrics: Registry): () => Promise<string>
  /** Lets go of the process that started it, so that it can end. */
  leave(): void
}

/** This process as a worker, if it is one. */
export function thisWorker(): Worker | undefined {
  const { worker } = cluster
  const name = process.env[WORKER_VARIABLE]
  if (worker === undefined || name === undefined) return undefined
  const stopped = new Promise<NodeJS.Signals>((resolve) => {
    process.on('message', (message: StopWorker) => {
      if (message.stop !== undefined) resolve(message.stop)
    })
  })
  return {
    name,
    stopped,
    serves: (listening) => worker.send({ listening } satisfies WorkerServes),
    share: (metrics) => sharedMetrics(metrics, worker, name),
    leave: () => worker.disconnect(),
  }
}
