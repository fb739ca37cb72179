import { afterAll, beforeAll, describe } from 'vitest'
import { anywhere } from './scenarios/anywhere.ts'
import { cursors } from './scenarios/cursors.ts'
import { expiry } from './scenarios/expiry.ts'
import { kills } from './scenarios/kills.ts'
import { outage } from './scenarios/outage.ts'
import { partition } from './scenarios/partition.ts'
import { restartWithoutBroker } from './scenarios/restart-without-broker.ts'
import { rollout } from './scenarios/rollout.ts'
import { stall } from './scenarios/stall.ts'
import { REPLICAS } from './support/cluster.ts'
import type { BrokerUnderTest, ClusterMode } from './support/cluster-mode.ts'
import { lengthOf } from './support/length.ts'

const scenarios = [anywhere, kills, rollout, partition, expiry, stall, cursors]
const ofBrokers = [outage, restartWithoutBroker]

/** Declares all that must hold for several relays over one broker, or without one. */
export function describeCluster(mode: ClusterMode): void {
  describe(`three relays over ${mode.name}`, () => {
    let broker: BrokerUnderTest
    beforeAll(async () => {
      broker = await mode.start(REPLICAS)
    }, 180_000)
    afterAll(() => broker.stop())
    for (const scenario of mode.isBrokerless ? scenarios : [...scenarios, ...ofBrokers])
      scenario(mode, () => broker, lengthOf(mode))
  })
}
