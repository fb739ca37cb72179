import type { ContestantName } from './options.ts'
import type { IdleRun, Run } from './run.ts'
import { pairedRatios } from './statistics.ts'

/** A figure that has to hold, and whether it does. */
export interface Gate {
  readonly text: string
  readonly passed: boolean
}

/** All that was measured. */
export interface Measured {
  readonly runs: readonly Run[]
  /** Runs that were disturbed, and repeated. */
  readonly discarded: readonly Run[]
  readonly idle: readonly IdleRun[]
}

const ours = ['asbru', 'asbru-hono'] as const
const peers = { 'res-write': 'res.write', 'better-sse': 'better-sse' } as const
/** By messages on their way at a time. */
const least: Record<number, Record<keyof typeof peers, number>> = {
  1: { 'res-write': 1.1, 'better-sse': 1.5 },
  16: { 'res-write': 3, 'better-sse': 6 },
}
const MOST_BYTES_IDLE = 14 * 1024

/** Holds what was measured against what is asked of a release. */
export function gates({ runs, discarded, idle }: Measured): Gate[] {
  const all: Gate[] = []
  for (const server of ours) {
    for (const window of Object.keys(least).map(Number)) {
      for (const peer of Object.keys(peers) as (keyof typeof peers)[]) {
        const [mine, its] = [rates(runs, server, window), rates(runs, peer, window)]
        if (mine.length === 0 || its.length === 0) continue
        const { median } = pairedRatios(mine, its)
        const wanted = least[window]![peer]
        all.push({
          text: `${server}, ${window} at a time: ${median.toFixed(2)}x ${peers[peer]} (at least ${wanted}x)`,
          passed: median >= wanted,
        })
      }
    }
  }
  for (const { server, bytesPerConnection } of idle) {
    if (!(ours as readonly string[]).includes(server)) continue
    all.push({
      text: `${server}: ${(bytesPerConnection / 1024).toFixed(1)} KB per idle connection (at most 14)`,
      passed: bytesPerConnection <= MOST_BYTES_IDLE,
    })
  }
  // A disturbed run may be slow; it may not be wrong.
  const everyRun = [...runs, ...discarded]
  const faults = everyRun.filter(
    (run) => run.lost + run.reordered + run.duplicated + run.damaged > 0,
  ).length
  all.push({
    text: `nothing lost, out of order, twice or damaged (${faults} of ${everyRun.length} runs had some)`,
    passed: faults === 0 && runs.length > 0,
  })
  return all
}

/** Deliveries per second of one server in one mode, by round. */
export function rates(runs: readonly Run[], server: ContestantName, window: number): number[] {
  return runs
    .filter((run) => run.server === server && run.window === window)
    .map((run) => run.deliveries / run.seconds)
}
