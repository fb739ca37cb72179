import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Instance } from '../src/instance.ts'
import { reservePort } from '../src/ports.ts'
import { processesIn } from './support/processes.ts'

describe('the processes of a broker', () => {
  const about = { version: '1.0.0', url: '', port: 0 }
  let dir: string
  let started: number[]
  let ended: number[]

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'asbru-instance-'))
    started = []
    ended = []
  })

  afterEach(() => rmSync(dir, { recursive: true }))

  function instance(command: string, ready: () => Promise<boolean>): Instance {
    const processes = [{ name: 'probe', command: ['sh', '-c', command] }] as const
    return new Instance({ ...about, processes, ready }, dir, {
      started: (pid) => started.push(pid),
      ended: (pid) => ended.push(pid),
    })
  }

  it('fail with what they wrote when one ends before it is ready', async () => {
    const probe = instance('echo the port is taken; exit 1', async () => false)
    await expect(probe.start()).rejects.toThrow(/^probe ended at once:\nthe port is taken$/)
    await probe.end()
  })

  it('end with all that they have started', async () => {
    const probe = instance('sleep 1000 & sleep 1000', async () => processesIn(dir).length === 3)
    await probe.start()
    await probe.end()
    expect(processesIn(dir)).toEqual([])
    expect(ended).toEqual(started)
  })

  it('are no longer there when a SIGTERM to them is through', async () => {
    const probe = instance('exec sleep 1000', async () => true)
    await probe.start()
    await probe.kill({ signal: 'SIGTERM' })
    expect(processesIn(dir)).toEqual([])
    await probe.start()
    expect(started).toHaveLength(2)
    await probe.end()
  })

  it('cannot be killed by a name that none of them has', async () => {
    const probe = instance('exec sleep 1000', async () => true)
    await probe.start()
    await expect(probe.kill({ only: 'node-9' })).rejects.toThrow('no process is named node-9')
    await probe.end()
  })
})

describe('ports', () => {
  it('are different ones, below the range for outgoing connections', async () => {
    const reserved = await Promise.all(Array.from({ length: 50 }, () => reservePort()))
    const ports = reserved.map(({ port }) => port)
    for (const each of reserved) each.release()
    expect(new Set(ports).size).toBe(50)
    for (const port of ports) expect(port).toBeLessThan(32_000)
  })
})
