/** `pnpm bench:cluster`: what it costs that every replica knows every client. See README.md. */
import { parseArgs } from 'node:util'
import { setTimeout as wait } from 'node:timers/promises'
import { startBroker } from '@asbru/brokers'
import { connect } from 'nats'
import { machineLine } from '../machine.ts'
import { churn } from './churn.ts'
import { inParallel } from './in-parallel.ts'
import { RelayProcess } from './relay-process.ts'

const { values } = parseArgs({
  options: {
    clients: { type: 'string', default: '100000' },
    topics: { type: 'string', default: '5' },
    replicas: { type: 'string', default: '3' },
    churn: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '20' },
  },
})
const clients = Number(values.clients)
const seconds = Number(values.seconds)
/** One topic is the client's own, the others it shares with many. */
const SHARED_TOPICS = 1_000

const broker = await startBroker('nats')
const watcher = await connect({ servers: broker.url })
const traffic = { messages: 0, bytes: 0 }
watcher.subscribe('>', {
  callback: (_error, { data }) => {
    traffic.messages++
    traffic.bytes += data.length
  },
})
const args = ['--driver=nats', `--driver.url=${broker.url}`, '--client-ttl-ms=3600000']
console.log(machineLine())

const relays = await Promise.all(
  Array.from({ length: Number(values.replicas) }, () => RelayProcess.ready(args)),
)
// Beside the others, as later: the difference is what it takes to learn of all clients.
const emptyMs = await startMs()
const before = await Promise.all(relays.map((relay) => relay.measure()))

const ids: string[] = []
const registering = await during(() =>
  inParallel(clients, 128, async (i) => {
    const topics = Array.from({ length: Number(values.topics) - 1 }, (_, each) => {
      return `shared.${(i * 31 + each * 257) % SHARED_TOPICS}`
    })
    const answer = await fetch(`${relays[i % relays.length]!.api}/clients`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ topics: [`own.${i}`, ...topics] }),
    })
    if (!answer.ok) throw new Error(`a client was refused: ${await answer.text()}`)
    ids.push(((await answer.json()) as { id: string }).id)
  }),
)
report('registered', { clients, perSecond: Math.round(clients / registering.seconds) })
report('control messages while registering', registering.traffic)
report('clients known to each replica', await Promise.all(relays.map((relay) => relay.clients())))

const after = await Promise.all(relays.map((relay) => relay.measure()))
const grown = (field: 'usedBytes' | 'rssBytes'): number[] =>
  after.map((now, i) => Math.round((now[field] - before[i]![field]) / clients))
report('bytes for each client on each replica, heap', grown('usedBytes'))
report('bytes for each client on each replica, resident', grown('rssBytes'))

const idle = await during(() => wait(10_000))
report('control messages while idle', idle.traffic)

let churned: object = {}
const busy = await during(async () => {
  churned = await churn(relays, ids, { perSecond: Number(values.churn), seconds })
})
const worked = await Promise.all(relays.map((relay) => relay.measure()))
report('churn', churned)
report('control messages during churn', busy.traffic)
report(
  'processor seconds a second of each replica during churn',
  worked.map((now, i) => ((now.cpuSeconds - after[i]!.cpuSeconds) / busy.seconds).toFixed(2)),
)

const syncedMs = await startMs()
report('start of a replica until it is ready', { emptyMs, syncedMs })

await watcher.close()
await Promise.all(relays.map((relay) => relay.kill()))
await broker.stop()

/** How long a further replica takes from its start until it is ready. */
async function startMs(): Promise<number> {
  const begun = performance.now()
  const relay = await RelayProcess.ready(args)
  const elapsed = Math.round(performance.now() - begun)
  report('clients known to a replica that just started', await relay.clients())
  await relay.kill()
  return elapsed
}

/** What the broker carried while something was done. */
async function during(act: () => Promise<unknown>): Promise<{ seconds: number; traffic: object }> {
  const { messages, bytes } = traffic
  const begun = performance.now()
  await act()
  const elapsed = (performance.now() - begun) / 1_000
  const perSecond = Math.round((traffic.messages - messages) / elapsed)
  const bytesPerSecond = Math.round((traffic.bytes - bytes) / elapsed)
  return { seconds: elapsed, traffic: { perSecond, bytesPerSecond } }
}

function report(what: string, figures: unknown): void {
  console.log(`${what}: ${JSON.stringify(figures)}`)
}
