import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { ask, expectAnswer, newClient } from '../support/api.ts'
import { startCluster } from '../support/cluster.ts'
import type { Replica } from '../support/replica.ts'
import type { Scenario } from '../support/scenario.ts'
import { SseClient } from '../support/sse-client.ts'
import { until } from '../support/until.ts'

/** How much later than its TTL a client may go. */
const LATE_MS = 5_000
const LINGER_MS = 500

/** A replica dies, and its clients do not come back. */
export const expiry: Scenario = (mode, broker, { clientTtlMs }) => {
  test(
    'clients of a killed replica expire everywhere, not before their TTL, with their broker subscriptions',
    {
      timeout: clientTtlMs + 120_000,
    },
    async () => {
      const args = ['--client-ttl-ms', `${clientTtlMs}`, '--linger-ms', `${LINGER_MS}`]
      const { replicas } = await startCluster(broker(), args)
      const [killed, ...others] = replicas
      const before = await Promise.all(others.map(brokerSubscriptions))
      const topic = `t${randomUUID()}`
      const ids = await Promise.all(
        Array.from({ length: 20 }, () => newClient(killed!.api, [topic])),
      )
      const clients = ids.map((id) => new SseClient(`${killed!.events}?id=${id}`))
      await until('all are connected', 10_000, () => clients.every(({ opened }) => opened === 1))
      for (const client of clients) client.stay()
      // Else it would be as long ago as they were made.
      await until('all know where they are connected', 10_000, async () => {
        const counts = await Promise.all(
          ids.flatMap((id) => others.map((replica) => connectionsOf(replica, id))),
        )
        return counts.every((count) => count === 1)
      })
      await killed!.kill()
      const killedAt = performance.now()
      const goneAfterMs = await Promise.all(
        ids.flatMap((id) => others.map((replica) => goneAfter(replica, id, killedAt))),
      )
      const [first, last] = [Math.min(...goneAfterMs), Math.max(...goneAfterMs)].map(Math.round)
      process.stdout.write(
        `${mode.name}, expiry: TTL ${clientTtlMs} ms, gone after ${first} to ${last} ms\n`,
      )
      expect(first).toBeGreaterThanOrEqual(clientTtlMs)
      expect(last).toBeLessThanOrEqual(clientTtlMs + LATE_MS)
      await until('the broker subscriptions are gone', LINGER_MS + 5_000, async () => {
        const now = await Promise.all(others.map(brokerSubscriptions))
        return now.every((count, i) => count <= before[i]!)
      })
    },
  )
}

async function goneAfter({ api }: Replica, id: string, since: number): Promise<number> {
  await until(`client ${id} is gone`, 120_000, async () => {
    return (await ask('GET', `${api}/clients/${id}`)).status === 404
  })
  return performance.now() - since
}

async function connectionsOf({ api }: Replica, id: string): Promise<number> {
  const client = (await expectAnswer(200, 'GET', `${api}/clients/${id}`)) as {
    connections: unknown[]
  }
  return client.connections.length
}

async function brokerSubscriptions({ api }: Replica): Promise<number> {
  const status = (await expectAnswer(200, 'GET', `${api}/status`)) as {
    brokerSubscriptions: number
  }
  return status.brokerSubscriptions
}
