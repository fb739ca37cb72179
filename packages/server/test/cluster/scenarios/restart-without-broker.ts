import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { expectAnswer, newClient } from '../support/api.ts'
import { startCluster } from '../support/cluster.ts'
import { openListeningPage } from '../support/listening-page.ts'
import type { Replica } from '../support/replica.ts'
import type { Scenario } from '../support/scenario.ts'

/** A replica restarts while the broker is away, with a browser that was connected to it. */
export const restartWithoutBroker: Scenario = (mode, broker, { outageMs }) => {
  test(
    'without the broker a valid id is never answered 404, and a browser whose replica restarts goes on',
    {
      timeout: outageMs + 180_000,
    },
    async () => {
      const page = await openListeningPage()
      const cluster = await startCluster(broker(), ['--cors.origins', page.origin])
      const topic = `t${randomUUID()}`
      const id = await newClient(cluster.api, [topic])
      await page.listen(`${cluster.events}?id=${id}`, topic)
      await page.untilGot('its first message', (event) => event.startsWith('{"config"'))
      const holder = await replicaOf(id, cluster.replicas)
      await broker().broker!.kill()
      await holder.kill()
      const restarted = holder.start()
      const statuses = new Set<number>()
      const over = performance.now() + outageMs
      while (performance.now() < over) {
        for (const { events } of cluster.replicas) await note(`${events}?id=${id}`, statuses)
        await wait(100)
      }
      await broker().broker!.start()
      await restarted
      await cluster.ready()
      for (const { events } of cluster.replicas) await note(`${events}?id=${id}`, statuses)
      await broker().publisher.publish(topic, 'on')
      await page.untilGot('what is published then', (event) => event === `${topic} on`)
      process.stdout.write(`${mode.name}, restart without broker: ${[...statuses].join()}\n`)
      expect([...statuses]).toEqual([200])
      expect(await page.hasGivenUp()).toBe(false)
    },
  )
}

/** The replica that a client is connected to. */
async function replicaOf(id: string, replicas: readonly Replica[]): Promise<Replica> {
  const { connections } = (await expectAnswer(200, 'GET', `${replicas[0]!.api}/clients/${id}`)) as {
    connections: readonly { readonly replica: string }[]
  }
  for (const replica of replicas) {
    const status = (await expectAnswer(200, 'GET', `${replica.api}/status`)) as { replica: string }
    if (connections.some((connection) => connection.replica === status.replica)) return replica
  }
  throw new Error(`no replica holds ${JSON.stringify(connections)}`)
}

/** Notes how a replica answers, if it does: one that waits for the broker may not listen yet. */
async function note(url: string, statuses: Set<number>): Promise<void> {
  const answer = await fetch(url).catch(() => undefined)
  if (answer === undefined) return
  statuses.add(answer.status)
  await answer.body?.cancel()
}
