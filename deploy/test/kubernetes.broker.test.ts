import { type Broker, startBroker } from '@asbru/brokers'
import { once } from 'node:events'
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { parse, parseAllDocuments, stringify } from 'yaml'
import { goProgram } from '../../brokers/src/fetched-program.ts'
import { mustRun } from '../../brokers/src/run.ts'
import { configKeys } from '../../packages/server/src/config/keys.ts'
import type { Config } from '../../packages/server/src/config/schema.ts'
import { configOf, type Manifest, POD, podOf } from './pod-config.ts'

const deploy = fileURLToPath(new URL('..', import.meta.url))
const chart = join(deploy, 'helm/asbru')
const drivers = configKeys.find(({ path }) => path === 'driver.name')!.choices
const valueFiles = globSync(join(chart, 'ci/*-values.yaml'))
const overlays = globSync(join(deploy, 'kustomize/*/asbru.yaml')).map((file) => join(file, '..'))

/** Where the API takes each kind. */
const collections: Readonly<Record<string, [group: string, plural: string]>> = {
  ConfigMap: ['api/v1', 'configmaps'],
  Deployment: ['apis/apps/v1', 'deployments'],
  HorizontalPodAutoscaler: ['apis/autoscaling/v2', 'horizontalpodautoscalers'],
  NetworkPolicy: ['apis/networking.k8s.io/v1', 'networkpolicies'],
  PodDisruptionBudget: ['apis/policy/v1', 'poddisruptionbudgets'],
  Role: ['apis/rbac.authorization.k8s.io/v1', 'roles'],
  RoleBinding: ['apis/rbac.authorization.k8s.io/v1', 'rolebindings'],
  Service: ['api/v1', 'services'],
  ServiceAccount: ['api/v1', 'serviceaccounts'],
  StatefulSet: ['apis/apps/v1', 'statefulsets'],
}

let api: Broker<'kubernetes'>
let helm: string
let kustomize: string

beforeAll(async () => {
  helm = await goProgram('helm', '3.22.0', 'helm.sh/helm/v3/cmd/helm')
  kustomize = await goProgram('kustomize', '5.8.0', 'sigs.k8s.io/kustomize/kustomize/v5')
  api = await startBroker('kubernetes')
  await post('api/v1/namespaces', { metadata: { name: 'web' } })
}, 1_200_000)

afterAll(() => api?.stop())

test('there are values and an overlay for every driver', () => {
  const ofChart = valueFiles.map((file) => basename(file, '-values.yaml'))
  expect(ofChart).toEqual(expect.arrayContaining([...drivers]))
  expect(overlays.map((dir) => basename(dir)).toSorted()).toEqual([...drivers].toSorted())
})

describe.each(valueFiles)('the chart with %s', (file) => {
  test('has nothing that its linter minds', async () => {
    const said = await mustRun(helm, ['lint', '--strict', '--values', file, chart])
    expect(said).toContain('0 chart(s) failed')
  })

  test('is taken by the API', async () => {
    await expectTaken(await render(['--values', file]))
  })

  test('configures the relay', async () => {
    expectConfigured(await render(['--values', file]), driverOf(file))
  })
})

test('the values together name every driver', () => {
  expect(new Set(valueFiles.map(driverOf))).toEqual(new Set(drivers))
})

describe.each(overlays)('%s', (dir) => {
  test('is taken by the API', async () => {
    await expectTaken(await mustRun(kustomize, ['build', dir]))
  })

  test('configures the relay', async () => {
    expectConfigured(await mustRun(kustomize, ['build', dir]), basename(dir))
  })

  test('has nginx in front of the relay by its component', async () => {
    const text = await mustRun(kustomize, ['build', withNginx(basename(dir))])
    await expectTaken(text)
    expect(expectConfigured(text, basename(dir)).host).toBe('127.0.0.1')
    const manifests = manifestsOf(text)
    const { initContainers, containers } = podOf(manifests)
    expect(initContainers!.map(({ name, ports }) => [name, ports])).toEqual([
      ['nginx', [{ name: 'https', containerPort: 8443 }]],
    ])
    expect(containers.flatMap(({ ports }) => ports.map(({ name }) => name))).toEqual(['internal'])
    const { spec } = manifests.find(({ kind, metadata }) => {
      return kind === 'Service' && metadata.name === 'asbru'
    })!
    expect(spec!.ports).toEqual([{ name: 'https', port: 443, targetPort: 'https' }])
    const policy = manifests.find(({ kind }) => kind === 'NetworkPolicy')!
    expect(policy.spec!.ingress!.map(({ ports }) => ports)).toEqual([
      [{ port: 'https' }],
      [{ port: 'internal' }],
    ])
  })
})

test('what the chart adds or takes by its values configures the relay', async () => {
  const { config } = configOf(
    manifestsOf(
      await render([
        '--set=config.driver.name=kubernetes,config.driver.dns=relays.web,replicas=3',
        '--set=config.clientTtlMs=5000,config.cors.origins={https://a.example}',
        '--set=ports.public=8000,ports.internal=7000',
      ]),
    ),
    false,
  )
  expect(config).toMatchObject({
    driver: { name: 'kubernetes', dns: 'relays.web' },
    clientTtlMs: 5_000,
    cors: { origins: ['https://a.example'] },
    port: 8_000,
    internalPort: 7_000,
  })
  expect(config.driver).not.toHaveProperty('service')
})

test('memory is refused more than one replica', async () => {
  await expect(render(['--set', 'replicas=2'])).rejects.toThrow('use one replica')
})

test('only the driver kubernetes may ask the API, and for slices alone', async () => {
  for (const file of valueFiles) {
    const roles = manifestsOf(await render(['--values', file])).filter(
      ({ kind }) => kind === 'Role',
    )
    const slices = {
      apiGroups: ['discovery.k8s.io'],
      resources: ['endpointslices'],
      verbs: ['list', 'watch'],
    }
    const uses = driverOf(file) === 'kubernetes'
    expect(roles.map(({ rules }) => rules)).toEqual(uses ? [[slices]] : [])
  }
})

/** The relay takes it all, knows every variable, and is called as its pod is. */
function expectConfigured(text: string, driver: string): Config {
  const loaded = [true, false].map((hasOptional) => configOf(manifestsOf(text), hasOptional))
  for (const { config, warnings } of loaded) {
    expect(warnings).toEqual([])
    expect(config).toMatchObject({ name: POD['metadata.name'], apiToken: 'of-api-token' })
    expect(config.driver.name).toBe(driver)
  }
  return loaded[0]!.config
}

function driverOf(valuesFile: string): string {
  const values = parse(readFileSync(valuesFile, 'utf8')) as {
    config: { driver: { name: string } }
  }
  return values.config.driver.name
}

/** A copy of an overlay that has the component nginx as well, until the test is over. */
function withNginx(overlay: string): string {
  const copy = mkdtempSync(join(tmpdir(), 'asbru-overlays-'))
  onTestFinished(() => rmSync(copy, { recursive: true }))
  cpSync(join(deploy, 'kustomize'), copy, { recursive: true })
  const file = join(copy, overlay, 'kustomization.yaml')
  const kustomization = parse(readFileSync(file, 'utf8')) as { components?: string[] }
  const components = [...(kustomization.components ?? []), '../nginx']
  writeFileSync(file, stringify({ ...kustomization, components }))
  return join(copy, overlay)
}

function render(values: readonly string[]): Promise<string> {
  const release = ['template', 'relay', chart, '--namespace', 'web']
  // Without a cluster to ask, Helm takes a version from its own build.
  return mustRun(helm, [...release, '--kube-version', api.version, ...values])
}

function manifestsOf(text: string): Manifest[] {
  return parseAllDocuments(text).flatMap((document) => (document.toJS() as Manifest | null) ?? [])
}

async function expectTaken(text: string): Promise<void> {
  const manifests = manifestsOf(text)
  expect(manifests.length).toBeGreaterThan(5)
  for (const manifest of manifests) {
    const [group, plural] = collections[manifest.kind]!
    const path = `${group}/namespaces/web/${plural}?dryRun=All&fieldValidation=Strict`
    await post(path, manifest)
  }
}

/** Rejects with what the API says against it. */
async function post(path: string, body: object): Promise<void> {
  const ca = readFileSync(join(api.dir, 'ca.crt'))
  const token = readFileSync(join(api.dir, 'admin.token'), 'utf8')
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/yaml' }
  const call = request(`${api.url}/${path}`, { ca, headers, method: 'POST' }).end(stringify(body))
  const [response] = (await once(call, 'response')) as [IncomingMessage]
  const answer = (await response.setEncoding('utf8').toArray()).join('')
  if (response.statusCode !== 201) throw new Error(`${path}: ${answer}`)
}
