import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { expectAnswer, newClient, subscribe } from '../support/api.ts'
import type { Scenario } from '../support/scenario.ts'
import { SseClient } from '../support/sse-client.ts'
import { startCluster } from '../support/cluster.ts'
import { until } from '../support/until.ts'

/** A client is made here, connected there and subscribed elsewhere, and gets what is published at once. */
export const anywhere: Scenario = (mode, broker, { rounds }) => {
  test(
    `a client made on one replica, connected to another and subscribed through a third gets what follows, ${rounds} times`,
    { timeout: 60_000 + rounds * 500 },
    async () => {
      const { replicas } = await startCluster(broker())
      const prefix = `t${randomUUID().slice(0, 8)}`
      let slowestMs = 0
      for (let round = 0; round < rounds; round++) {
        const [made, connected, subscribed] = [0, 1, 2].map(
          (i) => replicas[(round + i) % replicas.length]!,
        )
        const topic = `${prefix}.${round}`
        const got: string[] = []
        const id = await newClient(made!.api, [`${topic}.own`])
        const client = new SseClient(`${connected!.events}?id=${id}`, {
          event: (name, data) => got.push(`${name} ${data}`),
          gap: ({ reason }) => got.push(reason),
        })
        await subscribe(subscribed!.api, id, topic)
        const published = performance.now()
        await broker().publisher.publish(topic, 'first')
        await until(`round ${round} delivers`, 10_000, () => got.length > 0 || !client.isAlive)
        slowestMs = Math.max(slowestMs, performance.now() - published)
        expect({ round, got, statuses: client.statuses }).toEqual({
          round,
          got: [`${topic} first`],
          statuses: [200],
        })
        client.close()
        await expectAnswer(204, 'DELETE', `${made!.api}/clients/${id}`)
      }
      process.stdout.write(
        `${mode.name}, anywhere: ${rounds} rounds, slowest delivery ${Math.round(slowestMs)} ms\n`,
      )
    },
  )
}
