import { once } from 'node:events'
import { type Broker, startBroker } from '@asbru/brokers'
import { EventSource } from 'eventsource'
import { connect } from 'nats'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { post, serve, type ServingAsbru } from '../support/asbru.ts'

const WORKERS = 2
const CLIENTS = 8
const timeout = 60_000

let broker: Broker

beforeAll(async () => {
  broker = await startBroker('nats')
}, 600_000)

afterAll(() => broker.stop())

test(
  'clients that are made on any worker connect to any, and get what is published',
  { timeout },
  async () => {
    const relay = await serveByWorkers()
    const listeners = await listenOften(relay)
    expect(new Set(listeners.map(({ worker }) => worker)).size).toBe(WORKERS)
    await publish(1, 5)
    for (const { numbers, first } of listeners) {
      await first(5)
      expect(numbers).toEqual([1, 2, 3, 4, 5])
    }
  },
)

test('any worker has the metrics of all', { timeout }, async () => {
  const relay = await serveByWorkers()
  await listenOften(relay)
  for (let i = 0; i < WORKERS; i += 1) {
    const text = await (
      await fetch(`${relay.internal}/metrics`, { headers: { connection: 'close' } })
    ).text()
    const connections = text.matchAll(/^asbru_connections\{worker="(relay-\d)"\} (\d+)$/gm)
    const counts = new Map([...connections].map(([, worker, count]) => [worker, Number(count)]))
    expect(new Set(counts.keys())).toEqual(new Set(['relay-1', 'relay-2']))
    expect([...counts.values()].reduce((sum, count) => sum + count, 0)).toBe(CLIENTS)
    expect(text.match(/^asbru_replicas\{worker="relay-\d"\} 2$/gm)).toHaveLength(WORKERS)
    expect(text.match(/^nodejs_heap_size_total_bytes\{worker="relay-\d"\} /gm)).toHaveLength(
      WORKERS,
    )
  }
})

test(
  'a worker that is killed is replaced, and its clients go on without a loss',
  { timeout },
  async () => {
    const relay = await serveByWorkers()
    const listeners = await listenOften(relay)
    await publish(1, 3)
    for (const { first } of listeners) await first(3)
    const pids = pidsOfWorkers(relay)
    process.kill(pids.get('relay-1')!, 'SIGKILL')
    await publish(4, 20)
    for (const { numbers, gaps, first } of listeners) {
      await first(20)
      expect(numbers).toEqual(Array.from({ length: 20 }, (_, i) => i + 1))
      expect(gaps).toEqual([])
    }
    await relay.asbru.says('stderr', /"signal":"SIGKILL".*another takes its place/)
    await relay.asbru.says('stderr', /(a worker serves"\}\n[^]*){3}/)
    expect(pidsOfWorkers(relay).get('relay-1')).not.toBe(pids.get('relay-1'))
    expect(pidsOfWorkers(relay).get('relay-2')).toBe(pids.get('relay-2'))
    expect(relay.asbru.stdout.trimEnd().split('\n')).toHaveLength(1)
  },
)

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s drains all workers, with exit code 0',
  { timeout },
  async (signal) => {
    const relay = await serveByWorkers()
    const listeners = await listenOften(relay)
    relay.asbru.signal(signal)
    const { code, stderr } = await relay.asbru.ended
    expect(code).toBe(0)
    expect(stderr.match(/"msg":"stopped"/g)).toHaveLength(WORKERS)
    for (const { closings } of listeners) {
      expect(closings.length).toBeGreaterThan(0)
      for (const closing of closings) expect(closing).toEqual({ reason: 'shutdown' })
    }
  },
)

test('workers end with the process that started them', { timeout }, async () => {
  const relay = await serveByWorkers()
  relay.asbru.signal('SIGKILL')
  // Its streams end with the last process that has them.
  await relay.asbru.ended
  await expect(fetch(relay.events)).rejects.toThrow('fetch failed')
})

/** Two workers on JetStream, whose replicas resume each other's clients exactly. */
function serveByWorkers(): Promise<ServingAsbru> {
  return serve([
    `--workers=${WORKERS}`,
    '--name=relay',
    '--driver=nats',
    `--driver.url=${broker.url}`,
    '--driver.jetstream.stream=WORKERS',
    '--retry-ms=100',
    '--drain-ms=500',
  ])
}

/** Publishes numbers with the plain client of NATS, in order. */
async function publish(from: number, to: number): Promise<void> {
  const nats = await connect({ servers: broker.url })
  const stream = nats.jetstream()
  for (let number = from; number <= to; number += 1) {
    await stream.publish('events.orders', String(number))
  }
  await nats.close()
}

/** The processes of the workers, the latest of each, as the log has them. */
function pidsOfWorkers({ asbru }: ServingAsbru): Map<string, number> {
  const lines = asbru.stderr.matchAll(/"worker":"([^"]+)","pid":(\d+),"msg":"a worker serves"/g)
  return new Map([...lines].map(([, worker, pid]) => [worker!, Number(pid)]))
}

/** Makes clients and connects each: every request goes to another worker in turn. */
function listenOften(relay: ServingAsbru): Promise<Listener[]> {
  return Promise.all(Array.from({ length: CLIENTS }, () => listen(relay)))
}

interface Listener {
  /** Name of the worker to which it is connected. */
  readonly worker: string
  readonly numbers: readonly number[]
  readonly gaps: readonly unknown[]
  readonly closings: readonly unknown[]
  /** Resolves when so many events came. */
  readonly first: (count: number) => Promise<void>
}

async function listen({ api, events }: ServingAsbru): Promise<Listener> {
  const { id } = await post(`${api}/clients`, { topics: ['orders'] })
  const source = new EventSource(`${events}?id=${id}`)
  onTestFinished(() => source.close())
  const numbers: number[] = []
  const gaps: unknown[] = []
  const closings: unknown[] = []
  let wake: (() => void) | undefined
  source.addEventListener('orders', ({ data }) => {
    numbers.push(Number(data))
    wake?.()
  })
  source.addEventListener('message', ({ data }) => {
    const { gap, closing } = JSON.parse(data as string) as { gap?: unknown; closing?: unknown }
    if (gap !== undefined) gaps.push(gap)
    if (closing !== undefined) closings.push(closing)
  })
  await once(source as unknown as EventTarget, 'message')
  const replicas = async (): Promise<string[]> => {
    const client = await (await fetch(`${api}/clients/${id}`)).json()
    return (client as { connections: { replica: string }[] }).connections.map(
      ({ replica }) => replica,
    )
  }
  // Another worker may answer, which hears of the connection a little later.
  await expect.poll(replicas).toHaveLength(1)
  const [replica] = await replicas()
  const first = async (count: number): Promise<void> => {
    while (numbers.length < count) await new Promise<void>((resolve) => (wake = resolve))
  }
  return { worker: replica!.split('.')[0]!, numbers, gaps, closings, first }
}
