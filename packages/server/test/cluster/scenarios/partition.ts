import { setTimeout as wait } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { ask, askUntilTaken, newClient } from '../support/api.ts'
import { startCluster } from '../support/cluster.ts'
import type { Replica } from '../support/replica.ts'
import type { Scenario } from '../support/scenario.ts'
import { converged, shown } from '../support/state.ts'

const CLIENTS = 20

/** One replica does not reach the broker for a while, and clients change on both sides. */
export const partition: Scenario = (mode, broker, { partitionMs }) => {
  test(
    `after ${partitionMs / 1_000} s without one replica all agree, and no removed client is back`,
    {
      timeout: partitionMs + 120_000,
    },
    async () => {
      const cluster = await startCluster(broker())
      const [alone, ...rest] = cluster.replicas
      const { way } = cluster.doors[0]!
      const ids = await Promise.all(
        Array.from({ length: CLIENTS }, () => newClient(cluster.api, ['kept'])),
      )
      await converged(cluster)
      way.cut()
      const over = wait(partitionMs)
      const changes = await Promise.all(
        ids.map((id, i) => changeOnBothSides(id, alone!, rest[i % rest.length]!, i % 4 < 2)),
      )
      await over
      way.resume()
      await cluster.ready()
      const state = await converged(cluster)
      const refused = changes.filter(({ hasAlone }) => !hasAlone).length
      process.stdout.write(
        `${mode.name}, partition: ${refused} of ${CLIENTS} changes refused by the replica alone\n`,
      )
      expect(changes.map(({ id }) => shown(state, id))).toEqual(
        changes.map(({ isRemoved, hasAlone }) => {
          if (isRemoved) return undefined
          const certain = ['kept', 'there', ...(hasAlone ? ['alone'] : [])]
          // What was not answered may have taken effect.
          return expect.arrayContaining(certain) as readonly string[]
        }),
      )
    },
  )
}

/** Subscribes a client on the replica alone, and removes or subscribes it on the other side. */
async function changeOnBothSides(
  id: string,
  alone: Replica,
  other: Replica,
  isRemoved: boolean,
): Promise<{ id: string; isRemoved: boolean; hasAlone: boolean }> {
  const there = `${other.api}/clients/${id}`
  const here = ask('PUT', `${alone.api}/clients/${id}/subscriptions/alone`)
  const answer = await (isRemoved
    ? askUntilTaken('DELETE', there)
    : askUntilTaken('PUT', `${there}/subscriptions/there`))
  if (answer.status !== 204) throw new Error(`${there}: ${JSON.stringify(answer)}`)
  return { id, isRemoved, hasAlone: (await here).status === 204 }
}
