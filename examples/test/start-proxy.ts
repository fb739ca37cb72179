import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { reservePort } from '../../brokers/src/ports.ts'
import { mustRun } from '../../brokers/src/run.ts'
import { listens } from '../../brokers/src/tcp.ts'
import { until } from '../../brokers/src/until.ts'
import { debianProgram } from './debian-program.ts'

/** What a configuration is made to fit this machine with. */
export interface ProxySite {
  /** The port to listen on. */
  readonly port: number
  /** A folder of its own, with a certificate for 127.0.0.1 in `tls.crt` and its key in `tls.key`. */
  readonly dir: string
}

const commands = {
  nginx: (file: string) => ['-e', 'stderr', '-c', file, '-g', 'daemon off;'],
  haproxy: (file: string) => ['-db', '-f', file],
}

/** Runs a proxy until the test is over. Resolves with the port on which it listens. */
export async function startProxy(
  name: keyof typeof commands,
  configFor: (site: ProxySite) => string,
): Promise<number> {
  const reserved = await reservePort()
  const { port } = reserved
  const dir = mkdtempSync(join(tmpdir(), 'asbru-proxy-'))
  chmodSync(dir, 0o755)
  await certify(dir)
  const file = join(dir, `${name}.conf`)
  writeFileSync(file, configFor({ port, dir }))
  const [program, ...args] = await debianProgram(name)
  const child = spawn(program, [...args, ...commands[name](file)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const ended = once(child, 'exit')
  onTestFinished(async () => {
    child.kill('SIGTERM')
    await ended
    reserved.release()
    rmSync(dir, { recursive: true })
  })
  const serves = await until(() => child.exitCode !== null || listens(port), 10_000)
  if (!serves || child.exitCode !== null) throw new Error(`${name} does not serve`)
  return port
}

async function certify(dir: string): Promise<void> {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const names = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
  const files = ['-keyout', join(dir, 'tls.key'), '-out', join(dir, 'tls.crt')]
  await mustRun('openssl', ['req', '-x509', '-days', '2', ...key, ...names, ...files])
}
