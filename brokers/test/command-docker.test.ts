import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Machine } from './support/command.ts'

/** Docker as far as the command can tell: it notes how it was called, and runs what was started. */
const docker = `
state=$(dirname "$0")/../docker-state
echo "$@" >>"$state.calls"
case "$*" in
  *' up '*) touch "$state.up" ;;
  *' rm '*) rm "$state.up" ;;
  *' ps '*) [ ! -e "$state.up" ] || echo redis ;;
  *' config '*) echo '{"services":{"redis":{"image":"redis:8.8","ports":[{"published":"7001"}]}}}' ;;
  *' logs '*) echo 'Ready to accept connections' ;;
esac
`

describe('pnpm brokers, where Docker answers', () => {
  let machine: Machine

  beforeEach(() => {
    machine = new Machine()
    machine.program('docker', docker)
  })

  afterEach(() => machine.remove())

  it('starts and ends the service of docker-compose.yml', async () => {
    const up = {
      broker: 'redis',
      state: 'up',
      from: 'docker',
      version: '8.8',
      url: 'redis://127.0.0.1:7001',
    }
    const gone = { broker: 'redis', state: 'down' }
    const lines = async (command: string) => (await machine.brokers([command, 'redis'])).lines
    expect(await lines('status')).toEqual([gone])
    expect(await lines('up')).toEqual([up])
    expect(await lines('status')).toEqual([up])
    expect((await machine.brokers(['logs', 'redis'])).stdout).toBe('Ready to accept connections\n')
    expect(await lines('down')).toEqual([{ ...gone, from: 'docker' }])
    expect(await lines('status')).toEqual([gone])

    const calls = readFileSync(join(machine.dir, 'docker-state.calls'), 'utf8')
    expect(calls).toMatch(
      /^compose --file \/.*\/docker-compose\.yml --profile redis up --detach --wait redis$/m,
    )
  })

  it('says what Docker says when that fails', async () => {
    machine.program('docker', 'case "$*" in *" up "*) echo no such image >&2; exit 1 ;; esac')
    const { code, stdout, stderr } = await machine.brokers(['up', 'redis'])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain('no such image')
  })
})
