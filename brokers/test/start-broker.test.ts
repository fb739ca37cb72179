import { existsSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { selectedBrokers, startBroker, type Broker } from '@asbru/brokers'
import { listens } from '../src/tcp.ts'
import { probes } from './support/probes.ts'
import { processesIn } from './support/processes.ts'

// The first use of a broker on a machine installs it, which can mean a build.
const timeout = 600_000

describe.each(selectedBrokers())('%s', (name) => {
  const probe = probes[name]
  let broker: Broker

  afterEach(() => broker.stop())

  it('keeps its port and data over a kill and a start', { timeout }, async () => {
    broker = await startBroker(name)
    const { port, url } = broker
    await probe.store(broker, 'kept')
    await broker.kill()
    expect(await listens(port)).toBe(false)
    await broker.start()
    expect(broker).toMatchObject({ port, url })
    expect(await probe.find(broker)).toBe('kept')
  })

  it('keeps its data over a SIGTERM and a start', { timeout }, async () => {
    broker = await startBroker(name)
    await probe.store(broker, 'kept')
    await broker.kill({ signal: 'SIGTERM' })
    await broker.start()
    expect(await probe.find(broker)).toBe('kept')
  })

  it('says its version, and leaves no process behind when it stops', { timeout }, async () => {
    broker = await startBroker(name)
    expect(broker.version).toMatch(/^\d+\.\d+\.\d+/)
    expect(processesIn(broker.dir)).toContain(broker.pid)
    await broker.stop()
    expect(processesIn(broker.dir)).toEqual([])
    expect(existsSync(broker.dir)).toBe(false)
    expect(await listens(broker.port)).toBe(false)
  })

  it('runs beside another one that knows nothing of its data', { timeout }, async () => {
    broker = await startBroker(name)
    const other = await startBroker(name)
    try {
      await probe.store(broker, 'mine')
      await probe.store(other, 'yours')
      await other.kill()
      expect(await probe.find(broker)).toBe('mine')
    } finally {
      await other.stop()
    }
  })
})
