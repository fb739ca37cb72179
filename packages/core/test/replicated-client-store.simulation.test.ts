import { expect, test } from 'vitest'
import { replicatedClientStore } from '../src/cluster/replicated-client-store.ts'
import { explain } from './support/cluster/minimise.ts'
import { DORMANT_MS, scheduleOf, TOMBSTONE_MS } from './support/cluster/schedule.ts'
import { type MakeStore, simulate } from './support/cluster/simulation.ts'

/** `ASBRU_SIMULATION_SEEDS=1000:5000` runs 5,000 schedules from seed 1000 on. */
const asked = process.env['ASBRU_SIMULATION_SEEDS']
const [FIRST = 0, COUNT = 50] = asked?.split(':').map(Number) ?? []

const makeStore: MakeStore = () =>
  replicatedClientStore({ tombstoneMs: TOMBSTONE_MS, dormantMs: DORMANT_MS })

test(
  `keeps its promises in ${COUNT} schedules of faults from seed ${FIRST} on`,
  async () => {
    let answered = 0
    for (let seed = FIRST; seed < FIRST + COUNT; seed++) {
      const outcome = await simulate(scheduleOf(seed), makeStore)
      if (outcome.failures.length > 0) throw new Error(await explain(scheduleOf(seed), makeStore))
      answered += outcome.answered
    }
    expect(answered).toBeGreaterThan(COUNT)
  },
  60_000 + COUNT * 2_000,
)
