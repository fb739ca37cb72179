import { startBroker } from '@asbru/brokers'
import { describeRelays } from '@asbru/trials'
import { Cluster, Redis } from 'ioredis'
import { afterAll } from 'vitest'

const [single, cluster] = await Promise.all([
  startBroker('redis'),
  startBroker('redis', { cluster: true }),
])
const [plain, plainCluster] = [new Redis(single.url), new Cluster([cluster.url])]
afterAll(async () => {
  plain.disconnect()
  plainCluster.disconnect()
  await Promise.all([single.stop(), cluster.stop()])
})

function args(url: string, mode: string): string[] {
  return ['--driver', 'redis', '--driver.url', url, '--driver.mode', mode]
}

describeRelays([
  {
    name: 'Redis in pubsub',
    args: args(single.url, 'pubsub'),
    publish: (text) => plain.publish('orders.42', text),
  },
  {
    name: 'Redis in sharded',
    args: args(cluster.url, 'sharded'),
    hasPatterns: false,
    publish: (text) => plainCluster.spublish('orders.42', text),
  },
  {
    name: 'Redis in streams',
    args: args(single.url, 'streams'),
    publish: (text) => plain.xadd('asbru', '*', 'topic', 'orders.42', 'data', text),
  },
])
