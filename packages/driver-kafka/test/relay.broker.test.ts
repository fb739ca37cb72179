import { EventSource } from 'eventsource'
import { expect, onTestFinished, test } from 'vitest'
import { post, serve } from '../../server/test/support/asbru.ts'
import { kafkaUnderTest } from './support/kafka-harness.ts'
import { until } from './support/opened.ts'

const { admin, broker, producer } = await kafkaUnderTest()
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
  { mode: 'records', args: [], to: 'asbru' },
  {
    mode: 'Kafka topics',
    args: ['--driver.topic-from', 'kafka-topic', '--driver.topics', '/^orders\\./'],
    to: 'orders.42',
  },
])(
  'two relays on Kafka, by $mode, give their clients all that a plain program publishes',
  { timeout: 60_000 },
  async ({ args, to }) => {
    if (to !== 'asbru') await admin.createTopics({ topics: [{ topic: to, numPartitions: 1 }] })
    const all = ['--driver', 'kafka', '--driver.url', broker.url, ...args]
    const relays = await Promise.all([serve(all), serve(all)])
    const heard = await Promise.all(
      relays.map(async ({ api, events }) => {
        const { id } = await post(`${api}/clients`, { topics: ['orders.42'] })
        return listen(events, id)
      }),
    )
    for (let i = 0; i < COUNT; i++)
      await producer.send({ topic: to, messages: [{ key: 'orders.42', value: String(i) }] })
    const answer = await fetch(`${relays[0].api}/topics/orders.42/messages`, {
      method: 'POST',
      body: String(COUNT),
    })
    expect(answer.status).toBe(202)
    await until(() => heard.every((numbers) => numbers.length > COUNT))
    const numbers = Array.from({ length: COUNT + 1 }, (_, i) => i)
    expect(heard).toEqual([numbers, numbers])
  },
)
