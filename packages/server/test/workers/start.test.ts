import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { Asbru, run } from '../support/asbru.ts'

const PORTS = ['--port=0', '--internal-port=0']

test.each([
  ['memory', []],
  ['kubernetes', ['--driver.peers=127.0.0.1:7071']],
])('several workers refuse the driver %s', async (driver, keys) => {
  const args = ['--workers=2', '--driver', driver, ...keys]
  const { code, stdout, stderr } = await run(['serve', ...PORTS, ...args])
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toMatch(/^workers: is more than 1, but the driver .* \(--workers\)\n$/)
})

test('a broker that does not answer is exit code 1, and said once', async () => {
  const url = `nats://127.0.0.1:${await closedPort()}`
  const broker = ['--driver=nats', `--driver.url=${url}`, '--driver.start-timeout-ms=200']
  const { code, stdout, stderr } = await run(['serve', ...PORTS, '--workers=3', ...broker])
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr.match(/The driver nats could not be opened/g)).toHaveLength(1)
  expect(stderr).toMatch(/the worker \S+-1 ended before it served\n$/)
})

test('SIGTERM ends workers that wait for a broker, with exit code 0', async () => {
  const url = `nats://127.0.0.1:${await closedPort()}`
  const broker = ['--driver=nats', `--driver.url=${url}`, '--driver.start-timeout-ms=0']
  const log = ['--log-level=debug']
  const asbru = new Asbru(['serve', ...PORTS, '--workers=2', ...broker, ...log])
  await asbru.says('stderr', /a worker starts/)
  asbru.signal('SIGTERM')
  expect(await asbru.ended).toMatchObject({ code: 0, signal: null, stdout: '' })
})

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
