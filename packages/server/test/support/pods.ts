/**
 * Three relays as pods of Kubernetes, each on an address of its own: the scenario of kubernetes.broker.test.ts. Slices take
 * no loopback address, so it runs in a network namespace, by `unshare --net`, and prints what it saw as JSON.
 */
import { execFileSync } from 'node:child_process'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as wait } from 'node:timers/promises'
import { type Broker, startBroker } from '@asbru/brokers'
import { Cluster, type Endpoint } from '../../../driver-kubernetes/test/support/cluster.ts'
import { Pod } from './pod.ts'

/** What the scenario saw. */
export interface PodsReport {
  /** For each client, how many different messages it got, and how many in all. */
  readonly received: readonly { readonly different: number; readonly all: number }[]
  /** How long messages took to the clients of the two pods that went on, in milliseconds. */
  readonly latencies: Readonly<Record<'before' | 'stopped', Latencies>>
  /** The same of the clients of the pod that was stopped, once it went on. */
  readonly afterStop: readonly { readonly different: number; readonly all: number }[]
  /** Messages that were posted to a pod that was never ready. */
  readonly toUnready: number
  /** How long after it was taken from the slice a pod was posted to, if it was posted to before. */
  readonly goneAfterMs: number | undefined
}

/** Of some messages. */
export interface Latencies {
  readonly median: number
  readonly p95: number
  readonly max: number
}

const HOSTS = ['10.244.0.1', '10.244.0.2', '10.244.0.3'] as const
const [GONE, UNREADY] = ['10.244.0.8', '10.244.0.9']
const MESSAGES = 10_000
const BATCH = 100
const TIMED = 150

execFileSync('ip', ['link', 'set', 'lo', 'up'])
for (const host of [...HOSTS, GONE, UNREADY])
  execFileSync('ip', ['addr', 'add', `${host}/32`, 'dev', 'lo'])
const broker = await startBroker('kubernetes')
const pods: Pod[] = []
try {
  process.stdout.write(`${JSON.stringify(await play(broker))}\n`)
} finally {
  await Promise.all(pods.map((pod) => pod.end()))
  await broker.stop()
}
process.exit(0)

async function play(api: Broker<'kubernetes'>): Promise<PodsReport> {
  const cluster = new Cluster(api)
  await cluster.prepare()
  const [gone, unready] = [await recorder(GONE), await recorder(UNREADY)]
  const never = { address: UNREADY, conditions: { ready: false } }
  const ready: Endpoint[] = HOSTS.map((address) => ({ address }))
  await cluster.put('a', [
    ...HOSTS.map((address) => ({ address, conditions: { ready: false } })),
    never,
  ])
  pods.push(...(await Promise.all(HOSTS.map((host) => Pod.start(host, cluster.api)))))
  const clients = (await Promise.all(pods.map((pod) => pod.clients(2)))).flat()
  await cluster.put('a', [...ready, never])

  for (let sent = 0; sent < MESSAGES; sent += BATCH) {
    const numbers = Array.from({ length: BATCH }, (_, i) => sent + i)
    await pods[(sent / BATCH) % pods.length]!.publish(numbers.map(String))
  }
  await Promise.all(clients.map((client) => client.untilDifferent(MESSAGES)))
  const received = clients.map(({ different, all }) => ({ different, all }))

  const [going, stopped] = [clients.slice(0, 4), clients.slice(4)]
  const before = await timed(pods[0]!, going)
  pods[2]!.signal('SIGSTOP')
  const whileStopped = await timed(pods[0]!, going)
  pods[2]!.signal('SIGCONT')
  await Promise.all(stopped.map((client) => client.untilDifferent(MESSAGES + 2 * TIMED)))
  const afterStop = stopped.map(({ different, all }) => ({ different, all }))

  await cluster.put('a', [...ready, never, { address: GONE }])
  while (gone.messages === 0) await pods[0]!.publish(['to a pod that goes'])
  await cluster.put('a', [...ready, never])
  const goneAt = performance.now()
  while (performance.now() - goneAt < 6_000) {
    await pods[0]!.publish(['after it went'])
    await wait(20)
  }
  return {
    received,
    latencies: { before, stopped: whileStopped },
    afterStop,
    toUnready: unready.messages,
    goneAfterMs: gone.lastAt === undefined ? undefined : Math.max(0, gone.lastAt - goneAt),
  }
}

/** Publishes one message after the other, and says how long they took to all clients. */
async function timed(pod: Pod, clients: Awaited<ReturnType<Pod['clients']>>): Promise<Latencies> {
  const taken: number[] = []
  for (let i = 0; i < TIMED; i++) {
    const data = `timed ${performance.now()}`
    const begun = performance.now()
    const arrivals = clients.map((client) => client.untilGot(data))
    await pod.publish([data])
    for (const arrival of arrivals) taken.push((await arrival) - begun)
    await wait(10)
  }
  const sorted = taken.toSorted((a, b) => a - b)
  const at = (share: number): number =>
    Math.round(sorted[Math.floor(sorted.length * share)]! * 10) / 10
  return { median: at(0.5), p95: at(0.95), max: at(0.9999) }
}

/** A pod that only counts what is posted to it. */
async function recorder(host: string): Promise<{ messages: number; lastAt: number | undefined }> {
  const seen = { messages: 0, lastAt: undefined as number | undefined }
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { messages } = JSON.parse(await text(request)) as { messages: unknown[] }
    if (messages.length > 0) seen.lastAt = performance.now()
    seen.messages += messages.length
    response.end('{}')
  }
  const server = createServer((request, response) => void take(request, response))
  await new Promise<void>((resolve) => {
    server.listen(7070, host, resolve)
  })
  return seen
}
