import { readFileSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Broker } from '@asbru/brokers'
import type { KubeApiOptions } from '@asbru/driver-kubernetes'

/** An endpoint of a slice: its address, and what is said of it. */
export interface Endpoint {
  readonly address: string
  readonly conditions?: { ready?: boolean; serving?: boolean; terminating?: boolean }
}

const SERVICE = 'asbru'
const SLICES = '/apis/discovery.k8s.io/v1/namespaces/relays/endpointslices'
const RBAC = '/apis/rbac.authorization.k8s.io/v1/namespaces/relays'

/** A namespace `relays`, whose slices the test writes, since no controller does. */
export class Cluster {
  /** How a pod of that namespace reaches the API, with no more rights than it needs. */
  readonly api: KubeApiOptions & { readonly tokenFile: string }
  readonly #broker: Broker<'kubernetes'>

  constructor(broker: Broker<'kubernetes'>) {
    this.#broker = broker
    this.api = {
      url: broker.url,
      caFile: join(broker.dir, 'ca.crt'),
      tokenFile: join(broker.dir, 'pod.token'),
    }
  }

  /** Makes the namespace and its service account. */
  async prepare(): Promise<void> {
    await this.call('POST', '/api/v1/namespaces', { metadata: { name: 'relays' } })
    await this.call('POST', '/api/v1/namespaces/relays/serviceaccounts', {
      metadata: { name: SERVICE },
    })
    const rule = {
      apiGroups: ['discovery.k8s.io'],
      resources: ['endpointslices'],
      verbs: ['list', 'watch'],
    }
    const metadata = { name: SERVICE }
    await this.call('POST', `${RBAC}/roles`, { metadata, rules: [rule] })
    await this.call('POST', `${RBAC}/rolebindings`, {
      metadata,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: SERVICE },
      subjects: [{ kind: 'ServiceAccount', name: SERVICE, namespace: 'relays' }],
    })
    await this.renewToken()
  }

  /** Writes a token anew, as kubelet does. */
  async renewToken(): Promise<void> {
    const path = `/api/v1/namespaces/relays/serviceaccounts/${SERVICE}/token`
    const made = await this.call('POST', path, { spec: { expirationSeconds: 600 } })
    const { status } = made as { status: { token: string } }
    writeFileSync(this.api.tokenFile, status.token)
  }

  /** Makes a slice of the Service, or changes it. */
  async put(name: string, endpoints: readonly Endpoint[], addressType = 'IPv4'): Promise<void> {
    const metadata = { name, labels: { 'kubernetes.io/service-name': SERVICE } }
    const listed = endpoints.map(({ address, conditions = { ready: true } }) => ({
      addresses: [address],
      conditions,
    }))
    const slice = { metadata, addressType, endpoints: listed }
    const there = await this.call('GET', `${SLICES}/${name}`).catch(() => undefined)
    if (there === undefined) await this.call('POST', SLICES, slice)
    else await this.call('PUT', `${SLICES}/${name}`, slice)
  }

  /** Makes a slice of another Service, which changes what version the slices have. */
  async putForeign(name: string): Promise<void> {
    const labels = { 'kubernetes.io/service-name': 'other' }
    const endpoints = [{ addresses: ['10.9.9.9'] }]
    await this.call('POST', SLICES, { metadata: { name, labels }, addressType: 'IPv4', endpoints })
  }

  async delete(name: string): Promise<void> {
    await this.call('DELETE', `${SLICES}/${name}`)
  }

  /** Asks the API with all rights. */
  async call(method: string, path: string, body?: object): Promise<unknown> {
    const { dir, url } = this.#broker
    const headers = {
      authorization: `Bearer ${readFileSync(join(dir, 'admin.token'), 'utf8')}`,
      'content-type': 'application/json',
    }
    const ca = readFileSync(join(dir, 'ca.crt'))
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request(url + path, { method, headers, ca, agent: false })
        .once('error', reject)
        .once('response', resolve)
        .end(body === undefined ? undefined : JSON.stringify(body))
    })
    const answer = await text(response)
    if (response.statusCode! < 300) return JSON.parse(answer) as unknown
    throw new Error(`${method} ${path}: ${response.statusCode} ${answer}`)
  }
}
