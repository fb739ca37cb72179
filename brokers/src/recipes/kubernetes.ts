import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cachedProgram } from '../program-cache.ts'
import type { ProcessPlan, Recipe, Site } from '../recipe.ts'
import { findProgram, mustRun } from '../run.ts'
import { say } from '../say.ts'
import { ask } from '../tcp.ts'

/** What can be chosen for the API of Kubernetes. */
export interface KubernetesOptions {
  /**
   * Further flags of kube-apiserver.
   *
   * @default none
   */
  flags?: readonly string[]
}

const source = fileURLToPath(new URL('../../kube-api', import.meta.url))

/**
 * Kubernetes' own API server on its own etcd, with RBAC and no controllers: what nobody makes is not there.
 * In the folder of the instance are `ca.crt` and `admin.token`.
 */
export async function kubernetesRecipe(
  { dir, reservePort }: Site,
  { flags = [] }: KubernetesOptions,
): Promise<Recipe> {
  const { program, version } = await kubeApi()
  const ports = { port: await reservePort(), etcd: await reservePort(), peer: await reservePort() }
  await certify(dir)
  const token = randomBytes(24).toString('hex')
  writeFileSync(join(dir, 'admin.token'), token)
  writeFileSync(join(dir, 'tokens.csv'), `${token},admin,admin,system:masters\n`)
  const etcd = etcdPlan(program, dir, ports)
  const api: ProcessPlan = {
    name: 'apiserver',
    command: [program, 'apiserver', ...apiFlags(dir, ports), ...flags],
  }
  const ca = readFileSync(join(dir, 'ca.crt'))
  return {
    version,
    url: `https://127.0.0.1:${ports.port}`,
    port: ports.port,
    ports: { etcd: ports.etcd },
    processes: [etcd, api],
    ready: () => isReady(ports.port, ca, token),
  }
}

async function kubeApi(): Promise<{ program: string; version: string }> {
  const files = ['go.mod', 'go.sum', 'main.go'].map((file) => readFileSync(join(source, file)))
  const digest = createHash('sha256').update(Buffer.concat(files)).digest('hex').slice(0, 8)
  const [, version = '', minor = ''] = /k8s\.io\/kubernetes v(1\.(\d+)\.\d+)/.exec(
    files[0]!.toString(),
  )!
  const dir = await cachedProgram(`kube-api-${version}-${digest}`, async (target) => {
    const go = findProgram('go')
    if (go === undefined) throw new Error('it needs Go 1.26 to build the API of Kubernetes')
    say(
      `building the API of Kubernetes ${version} with Go, which takes minutes and 3 GB of its caches`,
    )
    const said = { gitVersion: `v${version}`, gitMajor: '1', gitMinor: minor }
    const stamps = Object.entries(said).map(
      ([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`,
    )
    const flags = ['-mod=readonly', '-trimpath', '-p=2', '-ldflags', `-s -w ${stamps.join(' ')}`]
    await mustRun(go, ['build', ...flags, '-o', join(target, 'kube-api'), '.'], {
      cwd: source,
      env: { GOFLAGS: '', GOWORK: 'off', CGO_ENABLED: '0' },
    })
  })
  return { program: join(dir, 'kube-api'), version }
}

/** An authority, a certificate by it for the API on this machine, and a key that signs tokens of service accounts. */
async function certify(dir: string): Promise<void> {
  const key = words('req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650')
  const make = (name: string, extensions: string, signedBy: readonly string[]): Promise<string> => {
    const files = ['-keyout', join(dir, `${name}.key`), '-out', join(dir, `${name}.crt`)]
    const subject = ['-subj', `/CN=kube-api-${name}`]
    return mustRun('openssl', [...key, ...subject, ...files, ...words(extensions), ...signedBy])
  }
  await make('ca', '-addext keyUsage=critical,keyCertSign,cRLSign', [])
  const authority = ['-CA', join(dir, 'ca.crt'), '-CAkey', join(dir, 'ca.key')]
  const names = 'IP:127.0.0.1,IP:::1,DNS:localhost,DNS:kubernetes.default.svc'
  const extensions = `-addext basicConstraints=critical,CA:FALSE -addext subjectAltName=${names}`
  await make('server', extensions, authority)
  await mustRun('openssl', ['genrsa', '-out', join(dir, 'serviceaccount.key'), '2048'])
}

function words(text: string): string[] {
  return text.split(' ')
}

interface Ports {
  readonly port: number
  readonly etcd: number
  readonly peer: number
}

function etcdPlan(program: string, dir: string, { etcd, peer }: Ports): ProcessPlan {
  const [client, peers] = [`http://127.0.0.1:${etcd}`, `http://127.0.0.1:${peer}`]
  const flags = [
    '--name=main',
    `--data-dir=${join(dir, 'etcd')}`,
    '--log-level=warn',
    '--unsafe-no-fsync', // a kill loses nothing even so: the kernel has what was written
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peers}`,
    `--initial-advertise-peer-urls=${peers}`,
    `--initial-cluster=main=${peers}`,
  ]
  return {
    name: 'etcd',
    command: [program, 'etcd', ...flags],
    outlivesKill: true,
    async started() {
      const health = 'GET /health HTTP/1.0\r\n\r\n'
      const answer = await ask(etcd, health, (bytes) => bytes.includes('"health"'))
      return answer?.includes('"health":"true"') ?? false
    },
  }
}

function apiFlags(dir: string, { port, etcd }: Ports): string[] {
  const issuer = 'https://kubernetes.default.svc'
  const flags: Record<string, string> = {
    'etcd-servers': `http://127.0.0.1:${etcd}`,
    'bind-address': '127.0.0.1',
    'secure-port': `${port}`,
    // Only appears in the slice of the Service kubernetes, which takes no loopback address.
    'advertise-address': '203.0.113.1',
    'service-cluster-ip-range': '10.96.0.0/16',
    'tls-cert-file': join(dir, 'server.crt'),
    'tls-private-key-file': join(dir, 'server.key'),
    'token-auth-file': join(dir, 'tokens.csv'),
    'authorization-mode': 'RBAC',
    'service-account-issuer': issuer,
    'service-account-key-file': join(dir, 'serviceaccount.key'),
    'service-account-signing-key-file': join(dir, 'serviceaccount.key'),
  }
  return Object.entries(flags).map(([name, value]) => `--${name}=${value}`)
}

function isReady(port: number, ca: Buffer, token: string): Promise<boolean> {
  return new Promise((resolve) => {
    const headers = { authorization: `Bearer ${token}` }
    request(`https://127.0.0.1:${port}/readyz`, { ca, headers, agent: false, timeout: 2_000 })
      .once('error', () => resolve(false))
      .once('timeout', () => resolve(false))
      .once('response', (response) => {
        response.resume()
        resolve(response.statusCode === 200)
      })
      .end()
  })
}
