import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type LoadedConfig, loadConfig } from '../../packages/server/src/config/load-config.ts'

/** A manifest, as far as the tests look at it. */
export interface Manifest {
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly rules?: unknown
  readonly data?: Readonly<Record<string, string>>
  readonly spec?: {
    readonly ports?: readonly unknown[]
    readonly ingress?: readonly { readonly ports: readonly unknown[] }[]
    readonly template?: { readonly spec: PodSpec }
  }
}

interface PodSpec {
  readonly containers: readonly Container[]
  readonly initContainers?: readonly Container[]
  readonly volumes: readonly {
    readonly name: string
    readonly configMap?: { readonly name: string }
  }[]
}

interface Container {
  readonly name: string
  readonly args?: readonly string[]
  readonly env?: readonly Variable[]
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[]
}

interface Variable {
  readonly name: string
  readonly value?: string
  readonly valueFrom?: {
    readonly fieldRef?: { readonly fieldPath: string }
    readonly secretKeyRef?: { readonly key: string; readonly optional?: boolean }
  }
}

/** What the pods of some manifests are told by Kubernetes, apart from Secrets. */
export const POD = { 'metadata.name': 'relay-7d4b9c8f6d-x2x4v', 'status.podIP': '10.244.0.7' }

/** The pod that some manifests make. */
export function podOf(manifests: readonly Manifest[]): PodSpec {
  const [spec, ...others] = manifests.flatMap(({ spec: { template } = {} }) => template?.spec ?? [])
  if (spec === undefined || others.length > 0) throw new Error('there is not one kind of pod')
  return spec
}

/**
 * What a relay makes of the configuration in the pod that some manifests make: its file, and its variables, with or
 * without those of Secrets that may be absent.
 * @throws {ConfigError}
 */
export function configOf(manifests: readonly Manifest[], hasOptional: boolean): LoadedConfig {
  const { containers, volumes } = podOf(manifests)
  const relay = containers.find(({ name }) => name === 'asbru')!
  const source = volumes.find(({ name }) => name === 'config')!.configMap!.name
  const map = manifests.find(
    ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === source,
  )
  if (relay.args?.join(' ') !== 'serve --config /etc/asbru/asbru.yaml')
    throw new Error(`the relay is started with ${relay.args?.join(' ')}`)
  const env = Object.fromEntries(relay.env!.map((each) => [each.name, textOf(each, hasOptional)]))
  const dir = mkdtempSync(join(tmpdir(), 'asbru-pod-'))
  try {
    const file = join(dir, 'asbru.yaml')
    writeFileSync(file, map!.data!['asbru.yaml']!)
    return loadConfig({ flags: new Map(), env, file })
  } finally {
    rmSync(dir, { recursive: true })
  }
}

function textOf({ name, value, valueFrom }: Variable, hasOptional: boolean): string | undefined {
  if (value !== undefined) return value
  const { fieldRef, secretKeyRef } = valueFrom ?? {}
  if (fieldRef !== undefined) return POD[fieldRef.fieldPath as keyof typeof POD]
  if (secretKeyRef === undefined) throw new Error(`${name} has no value`)
  return secretKeyRef.optional !== true || hasOptional ? `of-${secretKeyRef.key}` : undefined
}
