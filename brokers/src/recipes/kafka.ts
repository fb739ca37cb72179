import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Recipe, Site } from '../recipe.ts'
import { findProgram, mustRun } from '../run.ts'
import { ask, listens } from '../tcp.ts'
import { kafkaJars } from './kafka-jars.ts'

/** What can be chosen for Kafka. */
export interface KafkaOptions {
  /**
   * A release from 3.9 on; tried are 4.4.0 and 3.9.2.
   *
   * @default '4.4.0'
   */
  version?: string
  /**
   * How long a killed broker is missed before it may come back: `start` takes that long at least.
   * Kafka's own default is 9000.
   *
   * @default 2000
   */
  sessionTimeoutMs?: number
  /**
   * Further lines of server.properties, which win over ours. The clients' listener is `CLIENT`.
   *
   * @default {}
   */
  properties?: Readonly<Record<string, string>>
  /**
   * Ports of proxies through which clients come: each gets a listener of its own, the port `behind-0` and
   * so on, that Kafka says is at the proxy.
   *
   * @default []
   */
  proxies?: readonly number[]
}

/** Apache Kafka as one node that is broker and controller (KRaft), on the machine's JDK. */
export async function kafkaRecipe(
  { dir, reservePort }: Site,
  { version = '4.4.0', sessionTimeoutMs = 2000, properties = {}, proxies = [] }: KafkaOptions,
): Promise<Recipe> {
  const java = findProgram('java')
  if (java === undefined) throw new Error('it needs Docker, or a JDK of 17 or newer, and Maven')
  const jars = await kafkaJars(version)
  const port = await reservePort()
  // Clients may be asked for a password, readiness not: it has a listener of its own.
  const local = await reservePort()
  const controller = await reservePort()
  const behind: Behind[] = []
  for (const [i, proxy] of proxies.entries())
    behind.push({ listener: `BEHIND${i}`, port: await reservePort(), proxy })
  const config = join(dir, 'server.properties')
  const settings = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controller}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'LOCAL',
    listeners: [
      `CLIENT://127.0.0.1:${port}`,
      `LOCAL://127.0.0.1:${local}`,
      `CONTROLLER://127.0.0.1:${controller}`,
      ...behind.map((each) => `${each.listener}://127.0.0.1:${each.port}`),
    ].join(),
    'advertised.listeners': [
      `CLIENT://127.0.0.1:${port}`,
      `LOCAL://127.0.0.1:${local}`,
      ...behind.map((each) => `${each.listener}://127.0.0.1:${each.proxy}`),
    ].join(),
    'listener.security.protocol.map': ['CLIENT', 'LOCAL', 'CONTROLLER']
      .concat(behind.map(({ listener }) => listener))
      .map((listener) => `${listener}:PLAINTEXT`)
      .join(),
    'log.dirs': join(dir, 'data'),
    'broker.session.timeout.ms': `${sessionTimeoutMs}`,
    'broker.heartbeat.interval.ms': `${Math.max(100, Math.floor(sessionTimeoutMs / 4))}`,
    ...smallNode,
    ...properties,
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`)
  writeFileSync(config, lines.join(''))
  const run = (...command: string[]) => [...jvm, '-cp', `${jars}/*`, ...command]
  const format = run('kafka.tools.StorageTool', 'format', '-t', clusterId(), '-c', config)
  await mustRun(java, format, { cwd: dir })
  return {
    version,
    url: `127.0.0.1:${port}`,
    port,
    ports: Object.fromEntries(behind.map((each, i) => [`behind-${i}`, each.port])),
    processes: [{ name: 'kafka', command: [java, ...run('kafka.Kafka', config)] }],
    ready: async () => (await listens(port)) && coordinates(local),
  }
}

/** A listener for clients that come through a proxy. */
interface Behind {
  readonly listener: string
  readonly port: number
  readonly proxy: number
}

/** One node has no replicas, and two cores are soon taken by the defaults. */
const smallNode = {
  'offsets.topic.replication.factor': '1',
  'offsets.topic.num.partitions': '1',
  'transaction.state.log.replication.factor': '1',
  'transaction.state.log.min.isr': '1',
  'transaction.state.log.num.partitions': '1',
  'num.partitions': '4',
  'num.network.threads': '2',
  'num.io.threads': '2',
  'log.cleaner.dedupe.buffer.size': '4194304',
  'group.initial.rebalance.delay.ms': '0',
}

/** The first compiler alone starts sooner; at level info, the log grows by 1 MB a minute. */
const jvm = [
  '-Xmx384m',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
  '-Dorg.slf4j.simpleLogger.showDateTime=true',
  '-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS',
]

/** 16 bytes in base64url, of which the tool takes a first `-` for an option. */
function clusterId(): string {
  return `A${randomBytes(16).toString('base64url').slice(1)}`
}

/** True if a FindCoordinator request is answered without an error: then groups can be joined. */
async function coordinates(port: number): Promise<boolean> {
  const [findCoordinator, version, correlationId, group] = [10, 1, 1, 0]
  const body = Buffer.concat([
    Buffer.from([0, findCoordinator, 0, version, 0, 0, 0, correlationId]),
    text('ready'),
    text('ready'),
    Buffer.from([group]),
  ])
  const size = Buffer.alloc(4)
  size.writeInt32BE(body.length)
  const answer = await ask(port, Buffer.concat([size, body]), (bytes) => bytes.length >= 14)
  // Size, correlation id and throttle time come before the error code.
  return answer !== undefined && answer.length >= 14 && answer.readInt16BE(12) === 0
}

function text(value: string): Buffer {
  return Buffer.from([0, value.length, ...Buffer.from(value)])
}
