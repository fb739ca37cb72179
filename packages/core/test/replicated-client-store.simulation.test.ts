import { expect, test } from 'vitest'
import { replicatedClientStore } from '../src/cluster/replicated-client-store.ts'
import { loadStore } from './support/cluster/load-store.ts'
import {
  MADE_SCHEDULES,
  type MadeSchedule,
  madeSchedule,
} from './support/cluster/made-schedules.ts'
import { explain } from './support/cluster/minimise.ts'
import type { Mutation } from './support/cluster/mutation.ts'
import { MUTATIONS } from './support/cluster/mutations.ts'
import { DORMANT_MS, type Schedule, scheduleOf, TOMBSTONE_MS } from './support/cluster/schedule.ts'
import { type MakeStore, simulate } from './support/cluster/simulation.ts'

/**
 * `ASBRU_SIMULATION_SEEDS=1000:5000` runs 5,000 schedules from seed 1000 on, and looks there for the first that needs
 * each rule.
 */
const asked = process.env['ASBRU_SIMULATION_SEEDS']
const [FIRST = 0, COUNT = 50] = asked?.split(':').map(Number) ?? []
/** With so many delays each made schedule runs. */
const MADE_COUNT = 20
/** In so many schedules a missing rule is looked for. */
const TRIES = 60

const stores: Readonly<Record<string, () => Promise<MakeStore>>> = {
  'as it is': async () => () =>
    replicatedClientStore({ tombstoneMs: TOMBSTONE_MS, dormantMs: DORMANT_MS }),
  'with low limits': () => loadStore(),
}

test.each(Object.keys(stores))(
  `the store, %s, keeps its promises in ${COUNT} schedules of faults from seed ${FIRST} on`,
  async (name) => {
    const makeStore = await stores[name]!()
    let answered = 0
    let connected = 0
    for (const seed of seedsFrom(FIRST, COUNT)) {
      const outcome = await simulate(scheduleOf(seed), makeStore)
      if (outcome.failures.length > 0) throw new Error(await explain(scheduleOf(seed), makeStore))
      answered += outcome.answered
      connected += outcome.connected
    }
    expect(answered).toBeGreaterThan(COUNT)
    expect(connected).toBeGreaterThan(COUNT)
  },
  60_000 + COUNT * 2_000,
)

test.each(Object.keys(MADE_SCHEDULES) as MadeSchedule[])(
  'the store keeps its promises in the schedule: %s',
  async (name) => {
    for (const makeStore of [await stores['as it is']!(), await stores['with low limits']!()]) {
      for (const seed of seedsFrom(0, MADE_COUNT)) {
        const { failures, answered } = await simulate(madeSchedule(name, seed), makeStore)
        expect({ seed, failures }).toEqual({ seed, failures: [] })
        expect(answered).toBeGreaterThan(0)
      }
    }
  },
  60_000,
)

test('does the same again for the same seed', async () => {
  const makeStore = await stores['as it is']!()
  const lines: string[][] = [[], []]
  for (const each of lines) await simulate(scheduleOf(1), makeStore, (line) => each.push(line))
  expect(lines[0]!.length).toBeGreaterThan(0)
  expect(lines[1]).toEqual(lines[0])
})

test.each(MUTATIONS)(
  'breaks without the rule: $rule',
  async (mutation) => {
    const makeStore = await loadStore([mutation], mutation.limits)
    const isBroken = await breaksIn(schedulesFor(mutation), makeStore)
    expect(isBroken, 'The store keeps its promises without it.').toBe(true)
  },
  60_000 + (asked === undefined ? 0 : COUNT * 2_000),
)

test('a rule that is not in the source is not taken for one that is needed', async () => {
  const gone = { file: 'replica.ts', text: 'no such text', by: '' }
  await expect(loadStore([gone])).rejects.toThrow('replica.ts has this 0 times, not once')
})

async function breaksIn(schedules: Iterable<Schedule>, makeStore: MakeStore): Promise<boolean> {
  for (const schedule of schedules) {
    const { failures } = await simulate(schedule, makeStore)
    // One that throws says nothing of the rule.
    if (failures.some(({ rule }) => rule !== 'error' && rule !== 'start')) return true
  }
  return false
}

function* schedulesFor({ schedule, seed }: Mutation): Generator<Schedule> {
  if (schedule !== undefined) {
    for (const each of seedsFrom(0, MADE_COUNT)) yield madeSchedule(schedule, each)
    return
  }
  if (asked === undefined && seed !== undefined) yield scheduleOf(seed)
  const seeds = asked === undefined ? seedsFrom(0, TRIES) : seedsFrom(FIRST, COUNT)
  for (const each of seeds) yield scheduleOf(each)
}

function seedsFrom(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => first + index)
}
