import { setTimeout as wait } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { ask, newClient } from '../support/api.ts'
import { startAudience } from '../support/audience.ts'
import { startCluster } from '../support/cluster.ts'
import type { Scenario } from '../support/scenario.ts'
import { converged, shown } from '../support/state.ts'

/** Of each topic, before the outage and after it. */
const MESSAGES = 20

/** The broker is killed and comes back. */
export const outage: Scenario = (mode, broker, length) => {
  test(
    'after an outage of the broker the replicas agree on the clients, which go on where they were',
    {
      timeout: 240_000,
    },
    async () => {
      const cluster = await startCluster(broker())
      const audience = await startAudience(mode, broker(), cluster, length)
      const other = await newClient(cluster.api, ['before'])
      await audience.published.more(MESSAGES)
      const changing = cluster.replicas.map(({ api }, i) =>
        ask('PUT', `${api}/clients/${other}/subscriptions/during.${i}`),
      )
      await broker().broker!.kill()
      await wait(length.outageMs)
      const changes = await Promise.all(changing)
      await broker().broker!.start()
      await cluster.ready()
      const state = await converged(cluster)
      expect(Object.keys(state)).toHaveLength(length.clients + 1)
      const taken = changes.flatMap(({ status }, i) => (status === 204 ? [`during.${i}`] : []))
      expect(shown(state, other)).toEqual(expect.arrayContaining(['before', ...taken]))
      await audience.published.more(MESSAGES)
      await audience.settle('outage of the broker')
      expect(audience.clients.filter(({ isAlive }) => !isAlive)).toEqual([])
    },
  )
}
