import { type Broker, startBroker } from '@asbru/brokers'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { post, serve, type ServingAsbru } from '../support/asbru.ts'

let broker: Broker

beforeAll(async () => {
  broker = await startBroker('nats')
}, 600_000)

afterAll(() => broker.stop())

test('relays with the same control secret share clients, and those with another do not', async () => {
  const [one, other, stranger] = await Promise.all(
    ['shared', 'shared', 'guessed'].map((secret) => start(['--control-secret', secret])),
  )
  await expect.poll(() => metric(one!, 'asbru_replicas')).toBe(2)
  await expect.poll(() => metric(other!, 'asbru_replicas')).toBe(2)
  const { id } = await post(`${one!.api}/clients`, { topics: ['news'] })
  expect((await fetch(`${other!.api}/clients/${id}`)).status).toBe(200)
  expect(await metric(stranger!, 'asbru_replicas')).toBe(1)
  expect(await metric(stranger!, 'asbru_clients')).toBe(0)
  expect((await fetch(`${stranger!.internal}/readyz`)).status).toBe(200)
})

test('a relay that does not hear itself over the broker is not ready, until it does again', async () => {
  const { internal } = await start([])
  const status = async (): Promise<number> => (await fetch(`${internal}/readyz`)).status
  expect(await status()).toBe(200)
  process.kill(broker.pid, 'SIGSTOP')
  onTestFinished(() => void process.kill(broker.pid, 'SIGCONT'))
  await expect.poll(status, { timeout: 10_000 }).toBe(503)
  process.kill(broker.pid, 'SIGCONT')
  await expect.poll(status, { timeout: 10_000 }).toBe(200)
})

function start(args: readonly string[]): Promise<ServingAsbru> {
  return serve(['--driver=nats', `--driver.url=${broker.url}`, '--beat-ms=200', ...args])
}

/** What a relay tells Prometheus. */
async function metric({ internal }: ServingAsbru, name: string): Promise<number> {
  const text = await (await fetch(`${internal}/metrics`)).text()
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)![1])
}
