import { SeededRandom } from '../cluster/seeded-random.ts'

/**
 * What a broker is like. L: one log; V: three logs, which replicas interleave differently; N: no log, what comes while
 * a replica is cut off from the broker is lost; Q: no log, the broker queues it, though the queue may be gone.
 */
export type Kind = 'L' | 'V' | 'N' | 'Q'

/** Topics of messages, some of them busy. */
export const TOPICS = ['t.0', 't.0', 't.0', 't.1', 't.1', 't.2', 'p.0', 'p.1'] as const
/** What clients subscribe to; the last gets little. */
export const SUBSCRIPTIONS = ['t.0', 't.1', 't.2', 'p.0', 'p.*', 't.9'] as const
export const REPLICAS = ['r0', 'r1', 'r2'] as const
export const CLIENTS = ['c0', 'c1', 'c2', 'c3'] as const

/** The one that has but the topic that gets little. */
export const QUIET_CLIENT = 'c3'

/** No fault happens after that, in milliseconds. */
export const QUIET_FROM_MS = 40_000
/** When one more message goes to each topic and log. */
export const LAST_MESSAGES_MS = QUIET_FROM_MS + 15_000
export const END_MS = QUIET_FROM_MS + 30_000

type FaultName =
  | 'kill'
  | 'stall'
  | 'disconnect'
  | 'deafen'
  | 'cut'
  | 'move'
  | 'slow'
  | 'subscribe'
  | 'forge'
  | 'lose'
  | 'trim'
  | 'recreate'

/** Something that happens, to whom its seed says. */
export interface Fault {
  readonly at: number
  readonly name: FaultName
  readonly seed: number
}

/** What a seed stands for. */
export interface Plan {
  readonly seed: number
  readonly kind: Kind
  /** Whether nothing happens but that clients come, go and change. */
  readonly isCalm: boolean
  /** Whether the broker says of a log which one it is. */
  readonly hasEpochs: boolean
  /** Whether offsets are too large for a number. */
  readonly isHuge: boolean
  readonly windowBytes: number
  readonly windowMs: number
  /** How likely a connection breaks before a block, and behind it. */
  readonly breaks: number
  readonly faults: readonly Fault[]
}

const OF_CLIENTS: readonly FaultName[] = ['cut', 'cut', 'move', 'slow', 'subscribe', 'subscribe']
const OF_LOGS: readonly FaultName[] = [
  'kill',
  'stall',
  'disconnect',
  'lose',
  'trim',
  'recreate',
  'forge',
]
const OF_FLOWS: readonly FaultName[] = [
  'kill',
  'stall',
  'disconnect',
  'disconnect',
  'deafen',
  'subscribe',
  'forge',
]

/** The plan of a seed for a kind of broker. */
export function planOf(kind: Kind, seed: number): Plan {
  const random = new SeededRandom(seed * 4 + 'LVNQ'.indexOf(kind))
  const isCalm = seed % 5 === 4
  const names = [...OF_CLIENTS, ...(isCalm ? [] : isLogKind(kind) ? OF_LOGS : OF_FLOWS)]
  const count = seed % 2 === 0 ? 2 + random.below(8) : 15 + random.below(20)
  const faults = Array.from({ length: count }, () => ({
    at: random.between(7_000, QUIET_FROM_MS),
    name: random.choose(names),
    seed: random.below(1_000_000),
  }))
  return {
    seed,
    kind,
    isCalm,
    hasEpochs: random.chance(0.5),
    isHuge: random.chance(0.3),
    windowBytes: random.choose([12_000, 40_000, 64 * 1024 * 1024]),
    windowMs: random.choose([90_000, 90_000, 6_000]),
    breaks: random.choose([0, 0.005, 0.03]),
    faults: faults.toSorted((a, b) => a.at - b.at),
  }
}

/** Whether its brokers keep logs that all replicas read alike. */
export function isLogKind(kind: Kind): boolean {
  return kind === 'L' || kind === 'V'
}
