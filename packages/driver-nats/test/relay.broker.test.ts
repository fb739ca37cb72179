import { startBroker } from '@asbru/brokers'
import { describeRelays, eventsOf, until } from '@asbru/trials'
import { connect, headers } from 'nats'
import { afterAll, expect, test } from 'vitest'
import { serve } from '../../server/test/support/asbru.ts'

const TOPIC = 'orders.42'

const broker = await startBroker('nats')
const plain = await connect({ servers: broker.url })

afterAll(async () => {
  await plain.close()
  await broker.stop()
})

const modes = [
  { name: 'NATS by core subjects', more: [], prefix: '' },
  { name: 'NATS by JetStream', more: ['--driver.jetstream.stream', 'EVENTS'], prefix: 'events.' },
]

describeRelays(
  modes.map(({ name, more, prefix }) => ({
    name,
    args: args(...more),
    async publish(text) {
      plain.publish(prefix + TOPIC, text)
      await plain.flush()
    },
  })),
)

test.each(modes)(
  'a relay on $name names events as the publisher does',
  async ({ more, prefix }) => {
    const texts = await eventsOf(await serve(args(...more)), TOPIC, 'paid')
    const named = headers()
    named.set('Asbru-Event', 'paid')
    plain.publish(prefix + TOPIC, 'yes', { headers: named })
    await until(() => texts.length === 1)
    expect(texts).toEqual(['yes'])
  },
)

test('a relay over NATS takes credentials out of the URL', async () => {
  const { asbru } = await serve(['--driver', 'nats', '--driver.url', loginUrl()])
  expect(asbru.running).toBe(true)
})

test('a relay over NATS that finds no broker ends with a fault', async () => {
  const down = await startBroker('nats')
  await down.stop()
  const toNobody = ['--driver', 'nats', '--driver.url', down.url]
  await expect(serve([...toNobody, '--driver.start-timeout-ms', '300'])).rejects.toThrow(
    'CONNECTION_REFUSED',
  )
})

/** A server that asks for no password takes any. */
function loginUrl(): string {
  return broker.url.replace('//', '//user:pass%40word@')
}

function args(...more: string[]): string[] {
  return ['--driver', 'nats', '--driver.url', broker.url, ...more]
}
