import type { ClusterMode } from './cluster-mode.ts'

/** How long the scenarios run; what they check is the same. */
export interface Length {
  /** How often a client is made here, connected there and subscribed elsewhere. */
  readonly rounds: number
  readonly clients: number
  readonly topics: number
  /** Messages a second, on all topics together. */
  readonly rate: number
  /** How long replicas are killed. */
  readonly killsForMs: number
  /** From one kill to the next. */
  readonly killEveryMs: number
  /** How long one replica is without the broker. */
  readonly partitionMs: number
  /** How long the broker is away. */
  readonly outageMs: number
  /** Of clients that shall expire. */
  readonly clientTtlMs: number
}

const FULL: Length = {
  rounds: 1_000,
  clients: 300,
  topics: 20,
  rate: 200,
  killsForMs: 60_000,
  killEveryMs: 5_000,
  partitionMs: 20_000,
  outageMs: 10_000,
  clientTtlMs: 15_000,
}

const SHORT: Length = {
  rounds: 100,
  clients: 100,
  topics: 20,
  rate: 200,
  killsForMs: 15_000,
  killEveryMs: 5_000,
  partitionMs: 8_000,
  outageMs: 3_000,
  clientTtlMs: 8_000,
}

/** Full for every mode with `ASBRU_CLUSTER_TESTS=full`, else for those that run so by default. */
export function lengthOf({ inFull = false }: ClusterMode): Length {
  return inFull || process.env['ASBRU_CLUSTER_TESTS'] === 'full' ? FULL : SHORT
}
