import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { selectedBrokers } from '@asbru/brokers'
import { until } from '../src/until.ts'
import { processesIn } from './support/processes.ts'

const script = fileURLToPath(new URL('support/start-and-tell.ts', import.meta.url))

describe.each(selectedBrokers())('%s', (name) => {
  it.each(['SIGKILL', 'SIGTERM'] as const)(
    'ends with a process that started it and gets a %s',
    { timeout: 600_000 },
    async (signal) => {
      const starter = spawn(process.execPath, ['--conditions=@asbru/source', script, name], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const { dir } = JSON.parse(String((await once(starter.stdout, 'data'))[0])) as { dir: string }
      expect(processesIn(dir)).not.toEqual([])
      starter.kill(signal)
      expect(await until(() => processesIn(dir).length === 0, 10_000)).toBe(true)
      expect(await until(() => !existsSync(dir), 10_000)).toBe(true)
    },
  )
})
