import { SeededRandom } from './seeded-random.ts'

/** Times are shorter than by default, so that a schedule reaches all of them. */
export const TTL_MS = 20_000
export const DORMANT_MS = 40_000
export const TOMBSTONE_MS = 120_000

export type ChangeKind = 'make' | 'claim' | 'subscribe' | 'unsubscribe' | 'remove'

/** One change that a caller asks of a replica. */
export interface PlannedChange {
  readonly kind: ChangeKind
  readonly via: string
  readonly topic: string
}

/** Something that happens to the cluster. */
export type Act = { readonly at: number } & (
  | {
      readonly do: 'kill' | 'stop' | 'cut' | 'lose'
      readonly replica: string
      readonly forMs: number
    }
  | { readonly do: 'outage'; readonly forMs: number }
  | {
      /** It hears nothing of one other. */
      readonly do: 'deafen'
      readonly replica: string
      readonly to: string
      readonly forMs: number
    }
  | {
      readonly do: 'stall'
      readonly replica: string
      readonly forMs: number
      readonly waking: 'inbox lost' | 'timers first' | 'in order'
    }
  | {
      readonly do: 'change'
      readonly client: string
      readonly changes: readonly PlannedChange[]
      readonly pauseMs: number
      /** Where a browser connects as soon as the first change is answered. */
      readonly connectsTo?: string
    }
  | {
      readonly do: 'connect'
      readonly client: string
      readonly replica: string
      readonly leavesAfterMs: number
    }
)

/** A replica's machine. */
export interface Machine {
  readonly name: string
  /** How far its wall clock is off. */
  readonly skewMs: number
  /** How fast its monotonic clock runs. */
  readonly rate: number
}

export interface Schedule {
  readonly seed: number
  readonly machines: readonly Machine[]
  /** Whether the broker keeps the order of what one replica sends to another. */
  readonly isOrdered: boolean
  /** Nothing new happens after that. */
  readonly quietFrom: number
  readonly end: number
  readonly acts: readonly Act[]
}

/** The schedule that a seed stands for. */
export function scheduleOf(seed: number): Schedule {
  const random = new SeededRandom(-1 - seed)
  const names = ['A', 'B', 'C', 'D', 'E'].slice(0, random.choose([3, 3, 4, 5]))
  const machines = names.map((name) => ({
    name,
    skewMs: random.between(-5_000, 5_000),
    rate: 1 + random.between(-1e-3, 1e-3),
  }))
  const isOrdered = random.chance(0.7)
  const shape = random.choose(['spread', 'spread', 'dense', 'dense', 'long'] as const)
  const quietFrom = { spread: 60_000, dense: 40_000, long: 260_000 }[shape]
  const end = quietFrom + { spread: 36_000 + TTL_MS + 22_000, dense: 40_000, long: 220_000 }[shape]
  const acts =
    shape === 'dense'
      ? moments(random, names)
      : [...faults(random, names, quietFrom), ...clients(random, names, quietFrom)]
  return { seed, machines, isOrdered, quietFrom, end, acts: acts.toSorted((a, b) => a.at - b.at) }
}

/** Faults with several callers each, who change the same few clients around their begin and their end. */
function moments(random: SeededRandom, names: readonly string[]): Act[] {
  const acts: Act[] = []
  const known = ['c0', 'c1', 'c2', 'c3']
  for (const [number, client] of known.entries()) {
    const changes = [
      {
        kind: isChosen(number) ? 'claim' : 'make',
        via: random.choose(names),
        topic: 'first',
      } as const,
    ]
    const connectsTo = random.choose(names)
    acts.push({
      at: random.between(9_000, 11_000),
      do: 'change',
      client,
      changes,
      pauseMs: 0,
      connectsTo,
    })
  }
  for (const from of [12_000, 22_000, 31_000]) {
    const at = from + random.between(0, 4_000)
    const replica = random.choose(names)
    const forMs = random.choose([500, 2_000, 3_500, 6_000]) * random.between(0.6, 1.2)
    const kind = random.choose(['cut', 'cut', 'cut', 'lose', 'stall', 'kill', 'outage'] as const)
    if (kind === 'stall') acts.push({ at, do: kind, replica, forMs, waking: wakingOf(random) })
    else if (kind === 'outage') acts.push({ at, do: kind, forMs })
    else acts.push({ at, do: kind, replica, forMs })
    for (let callers = 2 + random.below(5); callers > 0; callers--) {
      const near = random.choose([at, at + forMs, at + forMs + 1_500])
      const via = [replica, random.choose(names)]
      acts.push(caller(random, near + random.between(-600, 1_500), random.choose(known), via))
    }
  }
  return acts
}

/** A caller who makes a few changes in a row, or a tab. */
function caller(random: SeededRandom, at: number, client: string, via: readonly string[]): Act {
  if (random.chance(0.25)) {
    const leavesAfterMs = random.choose([1_000, 10_000, Infinity])
    return { at, do: 'connect', client, replica: random.choose(via), leavesAfterMs }
  }
  const kinds = ['subscribe', 'subscribe', 'unsubscribe', 'unsubscribe', 'remove', 'claim'] as const
  const changes = Array.from({ length: 1 + random.below(3) }, () => {
    const kind = random.choose(kinds)
    const topic = kind === 'claim' ? random.choose(['second', 'third']) : random.choose(['x', 'y'])
    return { kind, via: random.choose(via), topic }
  })
  return { at, do: 'change', client, changes, pauseMs: random.choose([0, 0, 10, 1_000]) }
}

/** Whether a client has an id that its caller chose. */
function isChosen(client: number): boolean {
  return client % 3 === 0
}

const FAULTS = ['kill', 'kill', 'stop', 'stall', 'cut', 'cut', 'lose', 'lose', 'outage'] as const

function faults(random: SeededRandom, names: readonly string[], quietFrom: number): Act[] {
  return Array.from({ length: 2 + random.below(7) }, (): Act => {
    const kind = random.choose(FAULTS)
    const at = random.between(12_000, quietFrom)
    const isLong =
      quietFrom > 100_000 && (kind === 'cut' || kind === 'outage') && random.chance(0.7)
    const forMs = isLong
      ? random.between(80_000, 200_000)
      : random.choose([500, 2_000, 6_000, 12_000, 30_000]) * random.between(0.5, 1.2)
    const replica = random.choose(names)
    switch (kind) {
      case 'outage':
        return { at, do: kind, forMs }
      case 'stall':
        return { at, do: kind, replica, forMs, waking: wakingOf(random) }
      case 'kill':
      case 'stop':
      case 'cut':
      case 'lose':
        return { at, do: kind, replica, forMs }
    }
    return kind satisfies never
  })
}

function wakingOf(random: SeededRandom) {
  return random.choose([
    'inbox lost',
    'timers first',
    'timers first',
    'in order',
    'in order',
  ] as const)
}

function clients(random: SeededRandom, names: readonly string[], quietFrom: number): Act[] {
  const acts: Act[] = []
  for (let number = 0, count = 4 + random.below(8); number < count; number++) {
    const client = `c${number}`
    const at = random.between(11_000, quietFrom)
    const pauseMs = random.choose([0, 10, 2_000, 8_000])
    const changes = chain(random, names, isChosen(number))
    const connects = random.chance(0.5) && { connectsTo: random.choose(names) }
    acts.push({ at, do: 'change', client, changes, pauseMs, ...connects })
    if (isChosen(number) && random.chance(0.6)) {
      const again = at + random.choose([0, 0, 4, 300, 6_000])
      const second = [{ kind: 'claim', via: random.choose(names), topic: 'second' } as const]
      acts.push({ at: again, do: 'change', client, changes: second, pauseMs: 0 })
    }
    for (let tabs = random.below(3); tabs > 0; tabs--) {
      acts.push({
        at: at + 20 + random.choose([0, 1_000, 5_000, 15_000, 30_000]) * random.next(),
        do: 'connect',
        client,
        replica: random.choose(names),
        leavesAfterMs: random.choose([1_000, 10_000, 18_500, 40_000, Infinity, Infinity]),
      })
    }
  }
  return acts
}

function chain(
  random: SeededRandom,
  names: readonly string[],
  isClaimed: boolean,
): PlannedChange[] {
  const kind = isClaimed ? 'claim' : 'make'
  const topic = isClaimed || random.chance(0.5) ? 'first' : ''
  const changes: PlannedChange[] = [{ kind, via: random.choose(names), topic }]
  for (let left = 1 + random.below(4); left > 0; left--) {
    const end = random.chance(0.4) ? 'remove' : 'unsubscribe'
    changes.push({
      kind: random.choose(['subscribe', 'subscribe', 'unsubscribe', 'subscribe', end] as const),
      via: random.choose(names),
      topic: random.choose(['x', 'y']),
    })
  }
  const isRemoved = changes.at(-1)!.kind === 'remove'
  if (isClaimed && (isRemoved || random.chance(0.4))) {
    if (!isRemoved) changes.push({ kind: 'remove', via: random.choose(names), topic: '' })
    changes.push({ kind: 'claim', via: random.choose(names), topic: 'third' })
  }
  return changes
}
