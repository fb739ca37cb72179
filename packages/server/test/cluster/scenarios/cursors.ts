import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { expectAnswer, newClient, subscribe } from '../support/api.ts'
import type { BrokerUnderTest } from '../support/cluster-mode.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import type { Scenario } from '../support/scenario.ts'
import { SseClient } from '../support/sse-client.ts'
import { until } from '../support/until.ts'

const SECRET = 'of somebody else'

/** Whatever `Last-Event-ID` says, a client gets what is its own, and is told when something may be missing. */
export const cursors: Scenario = (mode, broker) => {
  test(
    'a forged, truncated or foreign cursor gives a gap, never an error or the events of others',
    {
      timeout: 180_000,
    },
    async () => {
      const cluster = await startCluster(broker())
      const cursor = await cursorOf(cluster, broker())
      // Where the broker keeps a log, another cluster on it reads the same one, and its cursors are places there.
      const foreign = mode.hasLog ? [] : [await cursorOf(await startCluster(broker()), broker())]
      const other = `t${randomUUID()}`
      await newClient(cluster.api, [other])
      await broker().publisher.publish(other, SECRET)
      const id = await newClient(cluster.api, [`t${randomUUID()}`])
      for (const forged of [...forgeries(cursor), ...foreign]) {
        for (const replica of cluster.replicas) {
          const got: string[] = []
          const client = new SseClient(
            `${replica.events}?id=${id}`,
            { event: (topic, data) => got.push(`${topic} ${data}`), gap: () => got.push('gap') },
            forged,
          )
          await until(`a gap for ${forged}`, 5_000, () => got.length > 0 || !client.isAlive)
          expect({ forged, got, statuses: client.statuses }).toEqual({
            forged,
            got: ['gap'],
            statuses: [200],
          })
          client.close()
        }
      }
    },
  )

  test('a replay has only what the client is subscribed to now', { timeout: 120_000 }, async () => {
    const cluster = await startCluster(broker())
    const [left, kept, other] = ['left', 'kept', 'other'].map((name) => `${name}-${randomUUID()}`)
    const id = await newClient(cluster.api, [left!, kept!])
    await newClient(cluster.api, [other!])
    const client = new SseClient(`${cluster.events}?id=${id}`)
    await until('it is connected', 10_000, () => client.opened === 1)
    client.close()
    await expectAnswer(204, 'DELETE', `${cluster.api}/clients/${id}/subscriptions/${left}`)
    for (const topic of [left!, other!, kept!]) await broker().publisher.publish(topic, SECRET)
    await subscribe(cluster.api, id, other!)
    for (const replica of cluster.replicas) {
      const got = new Set<string>()
      const again = new SseClient(
        `${replica.events}?id=${id}`,
        { event: (topic) => got.add(topic) },
        client.lastId,
      )
      await broker().publisher.publish(kept!, 'end')
      await until('the replay is over', 10_000, () => got.has(kept!))
      expect([...got]).not.toContain(left)
      again.close()
    }
  })
}

/** Where a client of a cluster stands after some messages. */
async function cursorOf(cluster: Cluster, { publisher }: BrokerUnderTest): Promise<string> {
  const topic = `t${randomUUID()}`
  const id = await newClient(cluster.api, [topic])
  let got = 0
  const client = new SseClient(`${cluster.events}?id=${id}`, { event: () => got++ })
  await until('it is connected', 10_000, () => client.opened === 1)
  for (let i = 0; i < 20; i++) await publisher.publish(topic, String(i))
  await until('it has all', 10_000, () => got === 20)
  client.close()
  return client.lastId
}

/** Cursors that no replica made. */
function forgeries(cursor: string): string[] {
  const cut = Array.from({ length: cursor.length - 1 }, (_, i) => cursor.slice(0, i + 1))
  const forged = ['x', '0', '~', '1.2.3', '-1', 'a:b:c', '..', cursor.repeat(2), 'z'.repeat(512)]
  return [...cut, ...forged, cursor.toUpperCase(), cursor.split('').toReversed().join('')].filter(
    (each) => each !== cursor,
  )
}
