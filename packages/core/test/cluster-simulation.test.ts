import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { explain } from './support/cluster/minimise.ts'
import { ModelStore } from './support/cluster/model-store.ts'
import { loadWithout } from './support/cluster/mutants.ts'
import { MUTATIONS } from './support/cluster/mutations.ts'
import { scheduleOf } from './support/cluster/schedule.ts'
import { type MakeStore, simulate } from './support/cluster/simulation.ts'

/**
 * `ASBRU_SIMULATION_SEEDS=1000:5000` runs 5,000 schedules from seed 1000 on, and looks there for the first that needs
 * each rule.
 */
const asked = process.env['ASBRU_SIMULATION_SEEDS']
const [FIRST = 0, COUNT = 100] = asked?.split(':').map(Number) ?? []
const FOLDER = fileURLToPath(new URL('./support/cluster/', import.meta.url))

const makeModel: MakeStore = () => new ModelStore()

test(
  `keeps its promises in ${COUNT} schedules of faults from seed ${FIRST} on`,
  async () => {
    let answered = 0
    let connected = 0
    for (const seed of seedsFrom(FIRST, COUNT)) {
      const outcome = await simulate(scheduleOf(seed), makeModel)
      if (outcome.failures.length > 0) throw new Error(await explain(scheduleOf(seed), makeModel))
      answered += outcome.answered
      connected += outcome.connected
    }
    expect(answered).toBeGreaterThan(COUNT)
    expect(connected).toBeGreaterThan(COUNT)
  },
  60_000 + COUNT * 1_000,
)

test('does the same again for the same seed', async () => {
  const lines: string[][] = [[], []]
  for (const each of lines) await simulate(scheduleOf(1), makeModel, (line) => each.push(line))
  expect(lines[0]!.length).toBeGreaterThan(0)
  expect(lines[1]).toEqual(lines[0])
})

test.each(MUTATIONS)(
  'breaks without the rule: $rule',
  async ({ seed, ...mutation }) => {
    const loaded = await loadWithout(mutation, FOLDER, 'model-store.ts')
    const Mutant = loaded['ModelStore'] as typeof ModelStore
    const seeds = asked === undefined ? [seed] : seedsFrom(FIRST, COUNT)
    expect(await firstBroken(seeds, () => new Mutant())).toBe(seed)
  },
  60_000 + (asked === undefined ? 0 : COUNT * 1_000),
)

async function firstBroken(
  seeds: readonly number[],
  makeStore: MakeStore,
): Promise<number | undefined> {
  for (const seed of seeds) {
    const { failures } = await simulate(scheduleOf(seed), makeStore)
    if (failures.length > 0) return seed
  }
  return undefined
}

function seedsFrom(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => first + index)
}
