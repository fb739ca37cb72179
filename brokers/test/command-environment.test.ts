import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { selectedBrokers, startBroker, type Broker } from '@asbru/brokers'
import { urlVariables } from '../src/environment-brokers.ts'
import { listens } from '../src/tcp.ts'
import { Machine } from './support/command.ts'

describe.each(selectedBrokers())('a %s that the environment names', (name) => {
  let machine: Machine
  let broker: Broker

  beforeEach(async () => {
    machine = new Machine()
    broker = await startBroker(name)
  }, 600_000)

  afterEach(async () => {
    await broker.stop()
    machine.remove()
  })

  it('is used, and left as it is', async () => {
    const env = { [urlVariables[name]]: broker.url }
    const tellsVersion = name === 'nats' || name === 'redis' || name === 'rabbitmq'
    const report = {
      broker: name,
      state: 'up',
      from: 'environment',
      url: broker.url.replace('guest:guest@', ''),
      ...(tellsVersion ? { version: broker.version } : {}),
    }
    for (const command of ['up', 'status', 'down']) {
      const { code, lines } = await machine.brokers([command, name], env)
      expect({ code, lines }).toEqual({ code: 0, lines: [report] })
    }
    expect(await listens(broker.port)).toBe(true)
  })

  it('is a failure when nobody listens there', async () => {
    await broker.kill()
    const env = { [urlVariables[name]]: broker.url }
    const { code, stdout, stderr } = await machine.brokers(['up', name], env)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain(`which ${urlVariables[name]} names`)
  })
})
