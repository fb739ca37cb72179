import { setTimeout as wait } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { startAudience } from '../support/audience.ts'
import { startCluster } from '../support/cluster.ts'
import type { Scenario } from '../support/scenario.ts'

/** Replicas are killed and started again, one after the other. */
export const kills: Scenario = (mode, broker, length) => {
  const { killsForMs, killEveryMs } = length
  test(
    `clients get all while a replica is killed every ${killEveryMs / 1_000} s`,
    { timeout: killsForMs * 2 + 120_000 },
    async () => {
      const cluster = await startCluster(broker())
      const audience = await startAudience(mode, broker(), cluster, length)
      const end = performance.now() + killsForMs
      for (let kill = 0; performance.now() < end; kill++) {
        const pause = wait(killEveryMs)
        const replica = cluster.replicas[kill % cluster.replicas.length]!
        await replica.kill()
        await replica.start()
        await pause
      }
      await audience.settle('kills')
      expect(audience.clients.filter(({ isAlive }) => !isAlive)).toEqual([])
    },
  )
}
