import { expect, test } from 'vitest'
import { startAudience } from '../support/audience.ts'
import { startCluster } from '../support/cluster.ts'
import type { Scenario } from '../support/scenario.ts'

/** Of each topic, before each restart and after the last. */
const MESSAGES = 20

/** All replicas are stopped and started again, one after the other, as a rollout does. */
export const rollout: Scenario = (mode, broker, length) => {
  test(
    'clients get all while the replicas are replaced one by one, and see nothing but reconnects',
    {
      timeout: 180_000,
    },
    async () => {
      const cluster = await startCluster(broker())
      const audience = await startAudience(mode, broker(), cluster, length)
      for (const replica of cluster.replicas) {
        await audience.published.more(MESSAGES)
        await replica.stop()
        await replica.start()
        await cluster.ready()
      }
      await audience.published.more(MESSAGES)
      await audience.settle('rollout')
      const statuses = new Set(audience.clients.flatMap((client) => client.statuses))
      expect([...statuses]).toEqual([200])
      const closings = new Set(audience.clients.flatMap((client) => client.closings))
      expect(['shutdown', 'not-ready']).toEqual(expect.arrayContaining([...closings]))
    },
  )
}
