import { afterEach, describe, expect, it } from 'vitest'
import {
  selectedBrokers,
  startBroker,
  type Broker,
  type BrokerName,
  type BrokerOptions,
} from '@asbru/brokers'
import { ask, listens } from '../src/tcp.ts'
import { probes } from './support/probes.ts'

interface Choice<Name extends BrokerName> {
  readonly name: Name
  readonly options: BrokerOptions[Name]
  readonly version: RegExp
  /** RabbitMQ 3.10 may lose a queue that was declared just before a SIGKILL. */
  readonly signal: 'SIGKILL' | 'SIGTERM'
}

const choices: readonly Choice<BrokerName>[] = [
  { name: 'redis', options: { server: 'valkey' }, version: /^9\./, signal: 'SIGKILL' },
  { name: 'rabbitmq', options: { version: '3.10' }, version: /^3\.10\./, signal: 'SIGTERM' },
  { name: 'kafka', options: { version: '3.9.2' }, version: /^3\.9\.2$/, signal: 'SIGKILL' },
]

let broker: Broker
const timeout = 600_000

afterEach(() => broker.stop())

describe.each(choices.filter(({ name }) => selectedBrokers().includes(name)))(
  '$name with $options',
  ({ name, options, version, signal }) => {
    it(`keeps its data over a ${signal} and a start`, { timeout }, async () => {
      broker = await startBroker(name, options)
      expect(broker.version).toMatch(version)
      await probes[name].store(broker, 'kept')
      await broker.kill({ signal })
      await broker.start()
      expect(await probes[name].find(broker)).toBe('kept')
    })
  },
)

describe.each(selectedBrokers().filter((name) => name === 'redis'))('%s with a cluster', (name) => {
  it('serves all slots, also after one of its nodes was killed', { timeout }, async () => {
    broker = await startBroker(name, { cluster: true })
    const info = async () => String(await ask(broker.port, 'CLUSTER INFO\r\n', isWhole))
    expect(await info()).toContain('cluster_slots_ok:16384')
    await broker.kill({ only: 'node-2' })
    expect(await listens(broker.ports['node-2']!)).toBe(false)
    expect(await listens(broker.port)).toBe(true)
    await broker.start()
    expect(await info()).toContain('cluster_slots_ok:16384')
  })
})

describe.each(selectedBrokers().filter((name) => name === 'rabbitmq'))(
  '%s with plugins',
  (name) => {
    it('has their listeners', { timeout }, async () => {
      const plugins = ['rabbitmq_management', 'rabbitmq_stream']
      broker = await startBroker(name, { plugins })
      const { management, stream } = broker.ports
      const answer = await fetch(`http://127.0.0.1:${management}/api/overview`, {
        headers: { authorization: `Basic ${btoa('guest:guest')}` },
      })
      expect(await answer.json()).toMatchObject({ rabbitmq_version: broker.version })
      expect(await listens(stream!)).toBe(true)
    })
  },
)

function isWhole(answer: Buffer): boolean {
  return answer.includes('cluster_slots_fail')
}
