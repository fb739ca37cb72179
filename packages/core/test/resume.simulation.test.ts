import { expect, test } from 'vitest'
import { type Kind, planOf } from './support/resume/plan.ts'
import { simulate } from './support/resume/simulation.ts'

/** `ASBRU_SIMULATION_SEEDS=1000:5000` runs 5,000 plans of each kind from seed 1000 on. */
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
