import { EventSource } from 'eventsource'
import { Cluster, Redis } from 'ioredis'
import { startBroker } from '@asbru/brokers'
import { expect, onTestFinished, test } from 'vitest'
import { post, serve } from '../../server/test/support/asbru.ts'
import { until } from './support/opened.ts'

const COUNT = 200

/** The numbers that a client of the relay at `events` is sent, once it is connected. */
async function listen(events: string, id: string): Promise<number[]> {
  const numbers: number[] = []
  const source = new EventSource(`${events}?id=${id}`)
  onTestFinished(() => source.close())
  source.addEventListener('orders.42', ({ data }) => numbers.push(Number(data)))
  await new Promise((resolve) => source.addEventListener('message', resolve, { once: true }))
  return numbers
}

test.each([
  ['pubsub', (redis: Redis | Cluster, text: string) => redis.publish('orders.42', text)],
  ['sharded', (redis: Redis | Cluster, text: string) => redis.spublish('orders.42', text)],
  [
    'streams',
    (redis: Redis | Cluster, text: string) =>
      redis.xadd('asbru', '*', 'topic', 'orders.42', 'data', text),
  ],
] as const)(
  'two relays on Redis in %s give their clients all that a plain program publishes',
  { timeout: 60_000 },
  async (mode, publish) => {
    const isCluster = mode === 'sharded'
    const broker = await startBroker('redis', { cluster: isCluster })
    onTestFinished(() => broker.stop())
    const plain = isCluster ? new Cluster([broker.url]) : new Redis(broker.url)
    onTestFinished(() => plain.disconnect())
    const args = ['--driver', 'redis', '--driver.url', broker.url, '--driver.mode', mode]
    const relays = await Promise.all([serve(args), serve(args)])
    const heard = await Promise.all(
      relays.map(async ({ api, events }) => {
        const { id } = await post(`${api}/clients`, { topics: ['orders.42'] })
        return listen(events, id)
      }),
    )
    for (let i = 0; i < COUNT; i++) await publish(plain, String(i))
    const answer = await fetch(`${relays[0].api}/topics/orders.42/messages`, {
      method: 'POST',
      body: String(COUNT),
    })
    expect(answer.status).toBe(202)
    await until(() => heard.every((numbers) => numbers.length > COUNT))
    const all = Array.from({ length: COUNT + 1 }, (_, i) => i)
    expect(heard).toEqual([all, all])
  },
)
