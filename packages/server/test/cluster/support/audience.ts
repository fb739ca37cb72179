import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import { newClient } from './api.ts'
import type { BrokerUnderTest, ClusterMode } from './cluster-mode.ts'
import type { Cluster } from './cluster.ts'
import { type Balance, Ledger } from './ledger.ts'
import type { Length } from './length.ts'
import { SseClient } from './sse-client.ts'
import { SteadyPublisher } from './steady-publisher.ts'
import { until } from './until.ts'

/** Connected clients, and a plain program that publishes what they want. */
export interface Audience {
  readonly clients: readonly SseClient[]
  /** What they want. */
  readonly published: SteadyPublisher
  /** Stops the publisher, waits until the clients have all, and prints and checks what they got. */
  settle(what: string): Promise<Balance>
}

/** Connects clients through the balancer, each to two of the topics, and starts to publish once all are there. */
export async function startAudience(
  mode: ClusterMode,
  { publisher }: BrokerUnderTest,
  cluster: Cluster,
  { clients: count, topics: topicCount, rate }: Pick<Length, 'clients' | 'topics' | 'rate'>,
): Promise<Audience> {
  const prefix = `t${randomUUID().slice(0, 8)}`
  const topics = Array.from({ length: topicCount }, (_, i) => `${prefix}.${i}`)
  const ledger = new Ledger()
  const clients: SseClient[] = []
  for (let i = 0; i < count; i++) {
    const own = [topics[i % topicCount]!, topics[(i + 1 + (i % (topicCount - 1))) % topicCount]!]
    const id = await newClient(cluster.api, own)
    clients.push(new SseClient(`${cluster.events}?id=${id}`, ledger.account(own)))
  }
  await until('all clients are connected', 30_000, () => clients.every(({ opened }) => opened > 0))
  ledger.silenceCounts()
  const published = new SteadyPublisher(publisher, topics, rate)

  return {
    clients,
    published,
    async settle(what) {
      await published.stop()
      const unsettled = await ledger.settled(published).catch((error: Error) => error)
      const balance = ledger.balance(published)
      process.stdout.write(`${mode.name}, ${what}: ${JSON.stringify(balance)}\n`)
      if (unsettled !== undefined) throw unsettled
      check(mode, balance)
      return balance
    },
  }
}

function check({ hasLog }: ClusterMode, balance: Balance): void {
  const { lost, lostUnsaid, repeated, disordered, gaps } = balance
  if (hasLog)
    expect({ lost, repeated, disordered, gaps }).toEqual({
      lost: 0,
      repeated: 0,
      disordered: 0,
      gaps: 0,
    })
  else expect({ lostUnsaid, disordered }).toEqual({ lostUnsaid: 0, disordered: 0 })
}
