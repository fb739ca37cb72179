import { isIP } from 'node:net'
import type { PeerFinder } from '@asbru/driver-kubernetes'
import { z } from 'zod'
import { brokerKeys, type DriverEntry } from './driver-entry.ts'

const text = z.string().min(1).exactOptional()
const peerList = z
  .string()
  .refine((some) => splitPeers(some).every(isHostAndPort), 'expected host:port')

const shape = {
  service: text.describe('The Service whose EndpointSlices list the relays.'),
  namespace: text
    .describe('The namespace in Kubernetes of that Service.')
    .meta({ defaultText: "the pod's own" }),
  dns: text.describe(
    'In place of service: a name with the addresses of all relays, as of a headless Service.',
  ),
  peers: z
    .union([peerList, z.array(peerList).min(1)], 'expected host:port')
    .exactOptional()
    .describe(
      'In place of service: relays as host:port, with commas between; one that knows others is enough.',
    ),
  port: z
    .int()
    .min(1)
    .max(65_535)
    .exactOptional()
    .describe('The port of the internal listeners of the other relays.')
    .meta({ defaultText: 'internalPort' }),
  address: z
    .string()
    .refine(isAddress, 'is neither an IP address, nor a host, nor host:port')
    .exactOptional()
    .describe(
      'Where others reach the internal listener of this relay: an IP address, or host:port.',
    )
    .meta({ defaultText: 'POD_IP, or internalHost' }),
  secret: text
    .describe('Shared by all relays: signs what they post to each other.')
    .meta({ secret: true, defaultText: 'none: any post is taken' }),
  api: z
    .strictObject({
      url: text.describe('Where the API of Kubernetes is.').meta({ defaultText: "the pod's" }),
      caFile: text
        .describe('File with its certificate authority.')
        .meta({ defaultText: "the pod's service account" }),
      tokenFile: text
        .describe('File with the token, read again for each request.')
        .meta({ defaultText: "the pod's service account" }),
    })
    .exactOptional(),
  startTimeoutMs: brokerKeys.startTimeoutMs,
}

const schema = z.strictObject(shape)
type Keys = z.infer<typeof schema>

/** `@asbru/driver-kubernetes`: no broker, relays post to each other. */
export const kubernetes: DriverEntry = {
  keys: shape,
  faultIn: ({ service, dns, peers }) =>
    [service, dns, peers].filter((each) => each !== undefined).length === 1
      ? undefined
      : 'needs exactly one of: service, dns, peers',
  oneProcess: 'the driver kubernetes posts to the port that they would share',
  async create(keys, { internalHost, internalPort, boundPort }) {
    const { addressOf, kubernetesDriver } = await import('@asbru/driver-kubernetes')
    const checked = schema.parse(keys)
    const { port = internalPort, secret, startTimeoutMs } = checked
    const host = checked.address ?? process.env['POD_IP'] ?? specific(internalHost)
    const isBare = host !== undefined && (isIP(host) !== 0 || !host.includes(':'))
    return kubernetesDriver({
      peers: await finderOf(checked, port),
      ...(host !== undefined && { address: () => (isBare ? addressOf(host, boundPort()) : host) }),
      ...(secret !== undefined && { secret }),
      ...(startTimeoutMs !== undefined && { startTimeoutMs }),
    })
  },
}

async function finderOf(
  { service, namespace, dns, peers, api }: Keys,
  port: number,
): Promise<PeerFinder> {
  const { dnsPeers, endpointSlices, staticPeers } = await import('@asbru/driver-kubernetes')
  if (dns !== undefined) return dnsPeers({ name: dns, port })
  if (peers !== undefined) return staticPeers([peers].flat().flatMap(splitPeers))
  return endpointSlices({
    service: service!,
    port,
    ...(namespace !== undefined && { namespace }),
    ...(api !== undefined && { api }),
  })
}

function splitPeers(some: string): string[] {
  return some.split(',').map((each) => each.trim())
}

function isHostAndPort(told: string): boolean {
  const port = /^[^\s/?#@]+:(\d{1,5})$/.exec(told)?.[1]
  return Number(port) > 0 && URL.canParse(`http://${told}`)
}

function isAddress(told: string): boolean {
  return isIP(told) !== 0 || isHostAndPort(told.includes(':') ? told : `${told}:1`)
}

/** An address that others can reach, if the listener has one of its own. */
function specific(host: string): string | undefined {
  return host === '0.0.0.0' || host === '::' ? undefined : host
}
