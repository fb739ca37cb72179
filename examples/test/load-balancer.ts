import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { onTestFinished } from 'vitest'
import { reservePort } from '../../brokers/src/ports.ts'
import { listens } from '../../brokers/src/tcp.ts'
import { until } from '../../brokers/src/until.ts'
import { examples } from './compose-example.ts'
import { debianProgram } from './debian-program.ts'

/** The configuration of the examples' load balancer. */
export const haproxyConfig: string = join(examples, 'compose/haproxy.cfg')

/** What HAProxy itself says of a configuration. Rejects if it would not start with it. */
export async function checkHaproxy(file: string): Promise<string> {
  const [program, ...args] = await debianProgram('haproxy')
  const { stdout, stderr } = await promisify(execFile)(program, [...args, '-c', '-f', file])
  return stdout + stderr
}

/**
 * Starts the examples' load balancer on a free port until the test is over, with relays that run
 * here in place of those that the configuration names. Resolves with its origin.
 */
export async function startLoadBalancer(relays: Readonly<Record<string, URL>>): Promise<string> {
  const reserved = await reservePort()
  const { port } = reserved
  const dir = mkdtempSync(join(tmpdir(), 'asbru-haproxy-'))
  const file = join(dir, 'haproxy.cfg')
  let config = readFileSync(haproxyConfig, 'utf8').replace('bind :8080', `bind 127.0.0.1:${port}`)
  for (const [name, { host }] of Object.entries(relays)) {
    config = config.replace(`${name}:8080`, host)
  }
  writeFileSync(file, config)
  const [program, ...args] = await debianProgram('haproxy')
  const child = spawn(program, [...args, '-db', '-f', file], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const ended = once(child, 'exit')
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
    reserved.release()
    rmSync(dir, { recursive: true })
  })
  const serves = await until(() => child.exitCode !== null || listens(port), 10_000)
  if (!serves || child.exitCode !== null) throw new Error('HAProxy does not serve')
  return `http://127.0.0.1:${port}`
}
