import { type Act, type PlannedChange, type Schedule, scheduleOf } from './schedule.ts'

/** What a schedule is made of besides its seed, which decides all delays. */
interface Plan {
  /** How far the wall clocks of the replicas are off, A first. */
  readonly skewsMs: readonly number[]
  readonly endMs: number
  /** Nothing happens any more from then on. @default `endMs` */
  readonly quietFromMs?: number
  readonly acts: readonly Act[]
}

const SAME = [0, 0, 0]
const FAST_SLOW = [4_900, -4_900, 0]

/** A takes B for silent by then, and does not wait for it. */
const MEANWHILE = 48_700
/** C has not told B yet what differs. */
const MOMENTS = [300, 600, 900, 1_200, 1_500].map((ms) => MEANWHILE + ms)

/** Schedules made for rules that chance alone seldom needs. */
export const MADE_SCHEDULES = {
  /** B, whose clock is slow, does what it would not do if it knew what A did. */
  'behind with a slow clock': {
    skewsMs: FAST_SLOW,
    endMs: 90_000,
    acts: [...apart(56_000), ...MOMENTS.flatMap(behindFrom)],
  },
  /** B misses a subscription for one of its own connections, and hears of it once it is in touch again. */
  'a subscription that comes late': {
    skewsMs: SAME,
    endMs: 70_000,
    acts: [
      ...apart(49_900),
      change(40_000, 'c1', ['make', 'A', 'first']),
      connect(40_500, 'c1', 'B'),
      change(MEANWHILE, 'c1', ['subscribe', 'A', 'x']),
    ],
  },
  /** B misses removals of clients and of topics, and must not bring them back. */
  'behind what was removed': {
    skewsMs: FAST_SLOW,
    endMs: 90_000,
    acts: [
      { at: 44_200, do: 'cut', replica: 'B', forMs: 8_000 },
      ...['c1', 'c2', 'c3'].flatMap((client) => [
        change(40_000, client, ['claim', 'A', 'first'], ['subscribe', 'C', 'x']),
        connect(40_500, client, 'B'),
      ]),
      connect(40_500, 'c2', 'C'),
      connect(40_500, 'c3', 'C'),
      change(MEANWHILE, 'c1', ['remove', 'A', '']),
      change(MEANWHILE, 'c2', ['unsubscribe', 'A', 'x']),
      change(MEANWHILE, 'c3', ['remove', 'C', ''], ['claim', 'A', 'second']),
    ],
  },
  /** Browsers come to B, which missed that some clients were made, and nobody hears its questions. */
  'asked in vain': {
    skewsMs: SAME,
    endMs: 90_000,
    acts: [
      { at: 41_000, do: 'deafen', replica: 'A', to: 'B', forMs: 12_000 },
      { at: 41_000, do: 'deafen', replica: 'C', to: 'B', forMs: 12_000 },
      { at: MEANWHILE - 200, do: 'lose', replica: 'B', forMs: 1_000 },
      ...Array.from({ length: 12 }, (_, number) => `c${number}`).flatMap((client) => [
        change(MEANWHILE, client, ['make', 'A', 'first']),
        connect(MEANWHILE + 1_000, client, 'B'),
      ]),
    ],
  },
  /** The only one that knows a client falls silent. */
  'known to a silent one': {
    skewsMs: SAME,
    endMs: 120_000,
    acts: [
      { at: 44_200, do: 'cut', replica: 'B', forMs: 8_000 },
      { at: 44_200, do: 'cut', replica: 'C', forMs: 6_000 },
      change(MEANWHILE, 'c1', ['make', 'A', 'first']),
      { at: 49_800, do: 'cut', replica: 'A', forMs: 14_000 },
      ...[55_000, 57_000, 59_000].flatMap((at) => [connect(at, 'c1', 'B'), connect(at, 'c1', 'C')]),
    ],
  },
  /** The others start with nothing while the only one that knows a client is cut off. */
  'known to none that started': {
    skewsMs: SAME,
    endMs: 120_000,
    acts: [
      change(40_000, 'c1', ['make', 'A', 'first']),
      connect(40_500, 'c1', 'A'),
      { at: 42_000, do: 'cut', replica: 'A', forMs: 16_000 },
      { at: 42_500, do: 'kill', replica: 'B', forMs: 1_000 },
      { at: 42_600, do: 'kill', replica: 'C', forMs: 1_000 },
      ...[52_000, 54_000, 56_000].flatMap((at) => [connect(at, 'c1', 'B'), connect(at, 'c1', 'C')]),
    ],
  },
  /** B starts while much is changed, and loses some of what it is told. */
  'a start among changes': {
    skewsMs: SAME,
    endMs: 50_000,
    acts: [
      { at: 12_000, do: 'kill', replica: 'B', forMs: 1_000 },
      { at: 12_000, do: 'lose', replica: 'B', forMs: 4_500 },
      { at: 12_000, do: 'deafen', replica: 'A', to: 'B', forMs: 4_500 },
      ...Array.from({ length: 20 }, (_, number) => `c${number}`).flatMap((client, number) => [
        change(10_000, client, ['make', 'A', 'first']),
        change(12_500 + 200 * number, client, ['subscribe', 'A', 'x'], ['unsubscribe', 'C', 'y']),
      ]),
    ],
  },
  /** B starts and hears nobody at first. */
  'a start in silence': {
    skewsMs: SAME,
    endMs: 50_000,
    acts: [
      change(10_000, 'c1', ['make', 'A', 'first']),
      connect(10_500, 'c1', 'A'),
      change(11_000, 'c1', ['subscribe', 'A', 'x']),
      { at: 12_000, do: 'kill', replica: 'B', forMs: 1_000 },
      { at: 12_000, do: 'deafen', replica: 'B', to: 'A', forMs: 4_500 },
      { at: 12_000, do: 'deafen', replica: 'B', to: 'C', forMs: 4_500 },
    ],
  },
  /** B stalls until the others take the client that it holds for gone. */
  'a stall for longer than the TTL': {
    skewsMs: SAME,
    endMs: 100_000,
    acts: [
      change(10_000, 'c1', ['make', 'A', 'first']),
      connect(10_500, 'c1', 'B'),
      { at: 12_000, do: 'stall', replica: 'B', forMs: 28_000, waking: 'inbox lost' },
      change(17_500, 'c1', ['subscribe', 'A', 'x']),
    ],
  },
  /** Clients that nobody connects to, and replicas that start again and again. */
  'a life among starts': {
    skewsMs: FAST_SLOW,
    endMs: 70_000,
    acts: [
      change(10_000, 'c1', ['make', 'A', 'first']),
      change(10_000, 'c2', ['make', 'B', 'first']),
      connect(10_500, 'c2', 'B', 1_000),
      ...[16_000, 25_000, 34_000, 43_000].flatMap((at): Act[] => [
        { at, do: 'kill', replica: 'A', forMs: 1_000 },
        { at: at + 4_500, do: 'kill', replica: 'C', forMs: 1_000 },
      ]),
    ],
  },
  /** B notes a change that nobody hears of, and that is not answered. */
  'a change in vain': {
    skewsMs: SAME,
    endMs: 80_000,
    acts: [
      change(40_000, 'c1', ['make', 'A', 'first']),
      connect(40_500, 'c1', 'A'),
      change(41_000, 'c1', ['subscribe', 'A', 'x']),
      { at: 44_200, do: 'cut', replica: 'B', forMs: 8_000 },
      change(44_500, 'c1', ['unsubscribe', 'B', 'x']),
    ],
  },
  /** B stalls while a connection that it holds gets a topic. */
  'a stall that hears late': {
    skewsMs: SAME,
    endMs: 50_000,
    acts: [
      change(10_000, 'c1', ['make', 'A', 'first']),
      connect(10_500, 'c1', 'B'),
      { at: 12_000, do: 'stall', replica: 'B', forMs: 8_000, waking: 'timers first' },
      change(17_500, 'c1', ['subscribe', 'A', 'x']),
    ],
  },
  /** Nobody hears anybody for longer than removals are remembered, and the others start anew meanwhile. */
  'an outage with starts in it': {
    skewsMs: SAME,
    endMs: 180_000,
    acts: [
      change(10_000, 'c1', ['make', 'A', 'first']),
      connect(10_500, 'c1', 'B'),
      { at: 12_000, do: 'outage', forMs: 138_000 },
      { at: 60_000, do: 'kill', replica: 'A', forMs: 1_000 },
      { at: 61_000, do: 'kill', replica: 'C', forMs: 1_000 },
    ],
  },
  /** B comes back when a client that it missed is long gone, and so is the one that made it. */
  'told long after': {
    skewsMs: SAME,
    endMs: 145_000,
    quietFromMs: 60_000,
    acts: [
      { at: 44_200, do: 'cut', replica: 'B', forMs: 86_000 },
      change(MEANWHILE, 'c1', ['make', 'A', 'first']),
      change(50_000, 'c1', ['unsubscribe', 'C', 'x']),
      { at: 52_000, do: 'kill', replica: 'A', forMs: 1_000 },
    ],
  },
  /** B is cut off for longer than removals are remembered, and than the others remember it. */
  'away for longer than removals': {
    skewsMs: SAME,
    endMs: 168_000,
    acts: [
      ...['c1', 'c2', 'c3'].flatMap((client) => [
        change(10_000, client, ['make', 'A', 'first']),
        connect(10_500, client, 'B'),
      ]),
      connect(10_500, 'c2', 'B', 139_600),
      change(11_000, 'c3', ['subscribe', 'A', 'x']),
      { at: 12_000, do: 'cut', replica: 'B', forMs: 138_000 },
      change(20_000, 'c1', ['remove', 'A', '']),
      change(20_000, 'c2', ['remove', 'C', '']),
    ],
  },
  /** All are cut off for longer than removals are remembered: nobody was in touch meanwhile. */
  'an outage that outlasts removals': {
    skewsMs: SAME,
    endMs: 180_000,
    acts: [
      ...['A', 'B', 'C'].flatMap((replica) => [
        change(10_000, `c${replica}`, ['make', 'A', 'first']),
        connect(10_500, `c${replica}`, replica),
      ]),
      { at: 11_000, do: 'cut', replica: 'B', forMs: 20_000 },
      ...['A', 'C'].flatMap((replica) => [
        change(16_000, `late${replica}`, ['make', 'A', 'first']),
        connect(16_500, `late${replica}`, replica),
      ]),
      { at: 18_000, do: 'outage', forMs: 132_000 },
    ],
  },
} satisfies Readonly<Record<string, Plan>>

export type MadeSchedule = keyof typeof MADE_SCHEDULES

/** One of them, with the delays of a seed. */
export function madeSchedule(name: MadeSchedule, seed: number): Schedule {
  const { skewsMs, endMs, quietFromMs = endMs, acts }: Plan = MADE_SCHEDULES[name]
  return {
    seed,
    machines: skewsMs.map((skewMs, at) => ({ name: 'ABC'[at]!, skewMs, rate: 1 })),
    isOrdered: scheduleOf(seed).isOrdered,
    quietFrom: quietFromMs,
    end: endMs,
    acts: acts.toSorted((a, b) => a.at - b.at),
  }
}

/** A and B do not hear each other for a while, and B not A for longer; C hears both, and both hear C. */
function apart(until: number): Act[] {
  return [
    { at: 41_000, do: 'deafen', replica: 'A', to: 'B', forMs: 8_000 },
    { at: 41_000, do: 'deafen', replica: 'B', to: 'A', forMs: until - 41_000 },
  ]
}

/** Clients that B changes at a moment, not knowing what A did. */
function behindFrom(at: number, number: number): Act[] {
  const [on, again, gone] = ['on', 'again', 'gone'].map((name) => name + number)
  return [
    change(40_000, on!, ['claim', 'A', 'first']),
    change(MEANWHILE, on!, ['subscribe', 'A', 'x']),
    change(at, on!, ['unsubscribe', 'B', 'x']),
    change(40_000, again!, ['claim', 'A', 'first']),
    connect(40_500, again!, 'B'),
    change(MEANWHILE, again!, ['remove', 'A', ''], ['claim', 'A', 'second']),
    change(at, again!, ['remove', 'B', '']),
    change(MEANWHILE - 1_500, gone!, ['claim', 'A', 'first'], ['remove', 'A', '']),
    change(at, gone!, ['claim', 'B', 'second']),
  ]
}

function change(
  at: number,
  client: string,
  ...changes: readonly (readonly [PlannedChange['kind'], via: string, topic: string])[]
): Act {
  const planned = changes.map(([kind, via, topic]) => ({ kind, via, topic }))
  return { at, do: 'change', client, changes: planned, pauseMs: 0 }
}

function connect(at: number, client: string, replica: string, leavesAfterMs = Infinity): Act {
  return { at, do: 'connect', client, replica, leavesAfterMs }
}
