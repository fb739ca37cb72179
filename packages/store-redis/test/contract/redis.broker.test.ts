import { randomUUID } from 'node:crypto'
import { type Broker, startBroker } from '@asbru/brokers'
import { describeClientStore } from '@asbru/trials/client-stores'
import { afterAll, beforeAll } from 'vitest'
import { redisClientStore } from '../../src/redis-client-store.ts'

const BEAT_MS = 50

let broker: Broker

beforeAll(async () => {
  broker = await startBroker('redis')
}, 120_000)

afterAll(() => broker.stop())

for (const replicas of [1, 3]) {
  describeClientStore(`${replicas} that keep a copy in Redis`, () => {
    const prefix = `${randomUUID()}:`
    return {
      makeStore: () => redisClientStore({ connection: broker.url, prefix, beatMs: BEAT_MS }),
      replicas,
    }
  })
}
