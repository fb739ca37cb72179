import { EventSource } from 'eventsource'
import { expect, onTestFinished, test } from 'vitest'
import { post, serve } from '../../server/test/support/asbru.ts'
import { bytes, until } from './support/opened.ts'
import { rabbitmqUnderTest } from './support/rabbitmq-harness.ts'

const { broker, publishPlain } = await rabbitmqUnderTest()

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
  ['the exchange', []],
  ['a stream', ['--driver.stream.name', 'relayed']],
])(
  'two relays on RabbitMQ by %s give their clients all that a plain program publishes',
  { timeout: 60_000 },
  async (_, mode) => {
    const args = ['--driver', 'rabbitmq', '--driver.url', broker.url, ...mode]
    const relays = await Promise.all([serve(args), serve(args)])
    const heard = await Promise.all(
      relays.map(async ({ api, events }) => {
        const { id } = await post(`${api}/clients`, { topics: ['orders.42'] })
        return listen(events, id)
      }),
    )
    for (let i = 0; i < COUNT; i++) await publishPlain({ topic: 'orders.42', payload: bytes(i) })
    const answer = await fetch(`${relays[0].api}/topics/orders.42/messages`, {
      method: 'POST',
      body: String(COUNT),
    })
    expect(answer.status).toBe(202)
    await until(() => heard.every((numbers) => numbers.length > COUNT))
    const all = Array.from({ length: COUNT + 1 }, (_each, i) => i)
    expect(heard).toEqual([all, all])
  },
)
