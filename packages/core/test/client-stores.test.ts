import { describeClientStore } from '@asbru/trials/client-stores'
import { memoryClientStore, replicatedClientStore } from '../src/index.ts'

const BEAT_MS = 20

describeClientStore('memory', () => ({ makeStore: memoryClientStore, replicas: 1 }))

for (const replicas of [1, 3]) {
  describeClientStore(`${replicas} replicated`, () => ({
    makeStore: () => replicatedClientStore({ beatMs: BEAT_MS }),
    replicas,
  }))
}
