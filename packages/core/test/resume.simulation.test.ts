import { expect, test } from 'vitest'
import { streamerWithout } from './support/resume/mutant.ts'
import { MUTATIONS } from './support/resume/mutations.ts'
import { type Kind, planOf } from './support/resume/plan.ts'
import { simulate } from './support/resume/simulation.ts'

/**
 * `ASBRU_SIMULATION_SEEDS=1000:5000` runs 5,000 plans of each kind from seed 1000 on, and looks there for the first that
 * needs each rule.
 */
const asked = process.env['ASBRU_SIMULATION_SEEDS']
const [FIRST = 0, COUNT = 50] = asked?.split(':').map(Number) ?? []

test.each<Kind>(['L', 'V', 'N', 'Q'])(
  'resumes without loss, or tells a gap, whatever happens, with a broker of kind %s',
  async (kind) => {
    let failovers = 0
    for (let seed = FIRST; seed < FIRST + COUNT; seed++) {
      const outcome = await simulate(planOf(kind, seed))
      expect(outcome.failures, `seed ${seed}`).toEqual([])
      failovers += outcome.failovers
    }
    expect(failovers).toBeGreaterThan(COUNT)
  },
  60_000 + COUNT * 2_000,
)

test('does the same again for the same seed', async () => {
  const lines: string[][] = [[], []]
  for (const each of lines) await simulate(planOf('V', 1), undefined, (line) => each.push(line))
  expect(lines[0]!.length).toBeGreaterThan(0)
  expect(lines[1]).toEqual(lines[0])
})

test.each(MUTATIONS)(
  'breaks without the rule: $rule',
  async ({ kind, seed, ...mutation }) => {
    const Mutant = await streamerWithout(mutation)
    const [first, count] = asked === undefined ? [seed, 1] : [FIRST, COUNT]
    let broken: number | undefined
    for (let each = first; each < first + count && broken === undefined; each++) {
      const { failures } = await simulate(planOf(kind, each), (options) => new Mutant(options))
      if (failures.length > 0) broken = each
    }
    expect(broken).toBe(seed)
  },
  60_000 + (asked === undefined ? 0 : COUNT * 2_000),
)

test('a rule whose text is not there is no rule', async () => {
  const mutation = { rule: 'none', file: 'events/window.ts', text: 'no such text', without: '' }
  await expect(streamerWithout(mutation)).rejects.toThrow('found 0 times')
})
