import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { ask, newClient } from '../support/api.ts'
import { startCluster } from '../support/cluster.ts'
import type { Scenario } from '../support/scenario.ts'
import { SseClient } from '../support/sse-client.ts'
import { until } from '../support/until.ts'

/** A replica stands still for longer than its clients live without a connection. */
export const stall: Scenario = (_mode, broker, { clientTtlMs }) => {
  test(
    'clients of a replica that stood still for longer than their TTL are still there, everywhere',
    {
      timeout: clientTtlMs + 120_000,
    },
    async () => {
      const cluster = await startCluster(broker(), ['--client-ttl-ms', `${clientTtlMs}`])
      const [stopped] = cluster.replicas
      const topic = `t${randomUUID()}`
      let got = 0
      const ids = await Promise.all(
        Array.from({ length: 20 }, () => newClient(stopped!.api, [topic])),
      )
      const clients = ids.map(
        (id) => new SseClient(`${stopped!.events}?id=${id}`, { event: () => got++ }),
      )
      await until('all are connected', 10_000, () => clients.every(({ opened }) => opened === 1))
      stopped!.signal('SIGSTOP')
      // Silence begins after four beats, and the TTL with it.
      await wait(clientTtlMs + 8_000)
      stopped!.signal('SIGCONT')
      await cluster.ready()
      for (const { api } of cluster.replicas)
        await until('every client is connected', 5_000, async () => {
          const answers = await Promise.all(ids.map((id) => ask('GET', `${api}/clients/${id}`)))
          return answers.every(({ body }) => (body as { connected?: boolean }).connected === true)
        })
      await broker().publisher.publish(topic, 'on')
      await until('every client gets what follows', 10_000, () => got === ids.length)
      expect(clients.map(({ opened, isAlive }) => [opened, isAlive])).toEqual(
        ids.map(() => [1, true]),
      )
    },
  )
}
