import { randomUUID } from 'node:crypto'
import { type Broker, startBroker } from '@asbru/brokers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { post, serve, type ServingAsbru } from '../support/asbru.ts'

let broker: Broker

beforeAll(async () => {
  broker = await startBroker('redis')
}, 120_000)

afterAll(() => broker.stop())

test('with a store, clients are there for a relay that starts after all others were killed', async () => {
  const prefix = `${randomUUID()}:`
  const first = await start(prefix)
  const { id } = await post(`${first.api}/clients`, { topics: ['news'], metadata: { user: 7 } })
  const changed = await fetch(`${first.api}/clients/${id}/subscriptions`, {
    method: 'PATCH',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ subscribe: ['pets.*'] }),
  })
  expect(changed.status).toBe(200)
  first.asbru.signal('SIGKILL')
  await first.asbru.ended
  const second = await start(prefix)
  const found = await fetch(`${second.api}/clients/${id}`)
  expect(found.status).toBe(200)
  expect(await found.json()).toMatchObject({ topics: ['news', 'pets.*'], metadata: { user: 7 } })
  const elsewhere = await start(`${randomUUID()}:`)
  expect(await clientsOf(elsewhere)).toBe(0)
})

function start(prefix: string): Promise<ServingAsbru> {
  return serve([
    '--driver=redis',
    `--driver.url=${broker.url}`,
    `--namespace=${prefix.slice(0, 8)}`,
    '--beat-ms=200',
    '--store=redis',
    `--store.url=${broker.url}`,
    `--store.prefix=${prefix}`,
  ])
}

/** How many clients a relay knows. */
async function clientsOf({ api }: ServingAsbru): Promise<number> {
  const page = (await (await fetch(`${api}/clients`)).json()) as { clients: unknown[] }
  return page.clients.length
}
