import { type Broker, startBroker } from '@asbru/brokers'
import { EventSource } from 'eventsource'
import { connect, headers, type NatsConnection } from 'nats'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { post, serve } from './support/asbru.ts'

const TOPIC = 'orders.42'
const NUMBERS = Array.from({ length: 200 }, (_, i) => String(i))

let broker: Broker
let plain: NatsConnection

beforeAll(async () => {
  broker = await startBroker('nats')
  plain = await connect({ servers: broker.url })
})

afterAll(async () => {
  await plain.close()
  await broker.stop()
})

describe.each([
  { mode: 'core subjects', env: {}, prefix: '' },
  { mode: 'JetStream', env: { ASBRU_DRIVER__JETSTREAM__STREAM: 'EVENTS' }, prefix: 'events.' },
])('two relays over NATS, $mode', ({ env, prefix }) => {
  test('give every event of a plain publisher to the clients of both, in order', async () => {
    const [one, other] = await Promise.all([relay(env), relay(env)])
    const clients = [await client(one), await client(other), await client(other, 'orders.*')]
    for (const number of NUMBERS) plain.publish(prefix + TOPIC, number)
    for (const each of clients) expect(await each.first(NUMBERS.length)).toEqual(NUMBERS)
  })

  test('give what one of them is asked to publish to the clients of both', async () => {
    const [one, other] = await Promise.all([relay(env), relay(env)])
    const clients = [await client(one), await client(other)]
    for (const { api } of [one, other]) await post(`${api}/topics/${TOPIC}/messages`, { from: api })
    for (const each of clients) {
      expect(await each.first(2)).toEqual([one, other].map(({ api }) => `{"from":"${api}"}`))
    }
  })

  test('name events as the publisher does in its headers', async () => {
    const serving = await relay(env)
    const { first } = await client(serving, TOPIC, 'paid')
    const named = headers()
    named.set('Asbru-Event', 'paid')
    plain.publish(prefix + TOPIC, 'yes', { headers: named })
    expect(await first(1)).toEqual(['yes'])
  })
})

test('a relay over NATS takes credentials out of the URL', async () => {
  const { asbru } = await serve(['--driver', 'nats', '--driver.url', loginUrl()])
  expect(asbru.running).toBe(true)
})

test('a relay over NATS that finds no broker ends with a fault', async () => {
  const down = await startBroker('nats')
  await down.stop()
  const args = ['--driver', 'nats', '--driver.url', down.url, '--driver.start-timeout-ms', '300']
  await expect(serve(args)).rejects.toThrow('CONNECTION_REFUSED')
})

/** A server that asks for no password takes any. */
function loginUrl(): string {
  return broker.url.replace('//', '//user:pass%40word@')
}

function relay(env: Readonly<Record<string, string>>): Promise<{ events: string; api: string }> {
  return serve(['--driver', 'nats', '--driver.url', broker.url], { env })
}

/** An EventSource on a relay, for a client that was made there. */
async function client(
  { events, api }: { events: string; api: string },
  topic = TOPIC,
  event = topic,
): Promise<{ first: (count: number) => Promise<string[]> }> {
  const { id } = await post(`${api}/clients`, { topics: [topic] })
  const source = new EventSource(`${events}?id=${id}`)
  onTestFinished(() => source.close())
  const got: string[] = []
  let check: (() => void) | undefined
  source.addEventListener(event, ({ data }) => {
    got.push(String(data))
    check?.()
  })
  await new Promise((resolve) => {
    source.addEventListener('message', resolve, { once: true })
  })
  return {
    first: (count) =>
      new Promise((resolve) => {
        check = () => {
          if (got.length >= count) resolve(got)
        }
        check()
      }),
  }
}
