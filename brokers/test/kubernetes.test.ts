import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { type Broker, startBroker } from '@asbru/brokers'
import { listens } from '../src/tcp.ts'
import { mustRun } from '../src/run.ts'

// The first use on a machine builds it.
const timeout = 600_000
let broker: Broker<'kubernetes'>

afterEach(() => broker.stop())

it('runs the API of Kubernetes, which keeps its data over a kill', { timeout }, async () => {
  broker = await startBroker('kubernetes')
  expect(broker.version).toMatch(/^1\.\d+\.\d+$/)
  expect(await call('/version')).toMatchObject({ gitVersion: `v${broker.version}` })
  const body = '{"metadata":{"name":"kept"}}'
  await call('/api/v1/namespaces', ['-H', 'Content-Type: application/json', '-d', body])
  await broker.kill()
  expect(await listens(broker.port)).toBe(false)
  await broker.start()
  expect(await call('/api/v1/namespaces/kept')).toMatchObject({ metadata: { name: 'kept' } })
})

async function call(path: string, args: readonly string[] = []): Promise<unknown> {
  const token = readFileSync(join(broker.dir, 'admin.token'), 'utf8')
  const trust = ['--cacert', join(broker.dir, 'ca.crt'), '-H', `Authorization: Bearer ${token}`]
  return JSON.parse(await mustRun('curl', ['-sS', ...trust, ...args, broker.url + path]))
}
