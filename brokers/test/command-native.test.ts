import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { selectedBrokers, type Broker } from '@asbru/brokers'
import { Machine } from './support/command.ts'
import { probes } from './support/probes.ts'
import { processesIn } from './support/processes.ts'

let machine: Machine

beforeEach(() => {
  machine = new Machine()
})

describe.each(selectedBrokers())('pnpm brokers, for %s', (name) => {
  afterEach(async () => {
    await machine.brokers(['down', name])
    machine.remove()
  })

  it('keeps a broker up until it is to end', { timeout: 600_000 }, async () => {
    const up = await machine.brokers(['up', name])
    expect(up.lines).toEqual([
      {
        broker: name,
        state: 'up',
        from: 'native',
        version: expect.stringMatching(/^\d+\.\d+\.\d+/),
        url: expect.stringMatching(/127\.0\.0\.1:\d+$/),
        pid: expect.any(Number),
      },
    ])
    const [{ url }] = up.lines as [{ url: string }]
    const broker = { url, port: Number(url.split(':').at(-1)) } as Broker
    await probes[name].store(broker, 'kept')

    expect(await machine.brokers(['status', name])).toMatchObject({ code: 0, lines: up.lines })
    expect(await machine.brokers(['up', name])).toMatchObject({ code: 0, lines: up.lines })
    expect(await probes[name].find(broker)).toBe('kept')
    expect(await machine.brokers(['logs', name])).toMatchObject({ code: 0 })

    const down = { code: 0, lines: [{ broker: name, state: 'down', from: 'native' }] }
    expect(await machine.brokers(['down', name])).toMatchObject(down)
    expect(processesIn(machine.dir)).toEqual([])
    expect(existsSync(join(machine.dir, 'up', name))).toBe(false)
    const gone = { code: 0, lines: [{ broker: name, state: 'down' }] }
    expect(await machine.brokers(['status', name])).toMatchObject(gone)
  })
})

describe('pnpm brokers', () => {
  afterEach(() => machine.remove())

  it('says why it cannot start Kafka without Docker and a JDK', async () => {
    machine.hasOnly('flock', 'sh')
    const { code, stdout, stderr } = await machine.brokers(['up', 'kafka'])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain('kafka: it needs Docker, or a JDK of 17 or newer, and Maven')
  })

  it('explains itself when it does not know the broker or the command', async () => {
    for (const args of [['up', 'mqtt'], ['upp'], []]) {
      const { code, stdout, stderr } = await machine.brokers(args)
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      expect(stderr).toContain('usage: pnpm brokers up|down|status|logs')
    }
  })
})
