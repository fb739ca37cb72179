import { globSync, mkdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { ProcessPlan, Recipe, Site } from '../recipe.ts'
import { ask, listens } from '../tcp.ts'
import { debianRoot, enterRoot } from './debian-root.ts'

/** What can be chosen for RabbitMQ. */
export interface RabbitmqOptions {
  /**
   * 4.0 is Debian 13's. 3.10 is Debian 12's, and a kill can cost it more than the real thing: a
   * queue declared just before, and all its streams for good within a second of the first one.
   *
   * @default '4.0'
   */
  version?: '3.10' | '4.0'
  /**
   * Plugins to enable. The listener of `rabbitmq_management` or `rabbitmq_stream` is the port
   * `management` or `stream`.
   *
   * @default []
   */
  plugins?: readonly string[]
}

/** RabbitMQ with an epmd of its own; the user is guest, with the password guest. */
export async function rabbitmqRecipe(
  { dir, reservePort }: Site,
  { version = '4.0', plugins = [] }: RabbitmqOptions,
): Promise<Recipe> {
  const release = version === '4.0' ? 'trixie' : 'bookworm'
  const root = await debianRoot(release, 'rabbitmq-server', ['bash', 'coreutils', 'grep', 'sed'])
  const enter = await enterRoot(root)
  const [home] = globSync(join(root, 'usr/lib/rabbitmq/lib/rabbitmq_server-*'))
  if (home === undefined) throw new Error(`found no RabbitMQ in ${root}`)

  const port = await reservePort()
  const distributionPort = await reservePort()
  const epmdPort = await reservePort()
  const ports: Record<string, number> = {}
  if (plugins.includes('rabbitmq_management')) ports['management'] = await reservePort()
  if (plugins.includes('rabbitmq_stream')) ports['stream'] = await reservePort()
  writeFileSync(join(dir, 'rabbitmq.conf'), configuration(ports))
  writeFileSync(join(dir, 'enabled_plugins'), `[${plugins.join(',')}].\n`)
  mkdirSync(join(dir, 'tmp'))

  const env = {
    HOME: dir, // for the Erlang cookie
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    LANG: 'C.UTF-8',
    TMPDIR: join(dir, 'tmp'),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_EPMD_PORT: `${epmdPort}`,
    RABBITMQ_NODENAME: 'rabbit@localhost',
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: `${port}`,
    RABBITMQ_DIST_PORT: `${distributionPort}`,
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
    RABBITMQ_MNESIA_BASE: join(dir, 'data'),
    RABBITMQ_LOG_BASE: join(dir, 'log'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(dir, 'enabled_plugins'),
    RABBITMQ_CONFIG_FILE: join(dir, 'rabbitmq.conf'),
    RUNNING_UNDER_SYSTEMD: 'yes', // the launcher becomes the broker: one pid to signal
    ...(version === '4.0' ? { RABBITMQ_FEATURE_FLAGS: featureFlags(plugins) } : {}),
  }
  // Not left to Erlang, which would start one that outlives everything.
  const epmd: ProcessPlan = {
    name: 'epmd',
    command: [...enter, '/usr/bin/epmd'],
    env,
    outlivesKill: true,
    started: () => listens(epmdPort),
  }
  const server = `${home.slice(root.length)}/sbin/rabbitmq-server`
  return {
    version: basename(home).replace('rabbitmq_server-', ''),
    url: `amqp://guest:guest@127.0.0.1:${port}`,
    port,
    ports,
    processes: [epmd, { name: 'rabbitmq-server', command: [...enter, server], env }],
    // A client's greeting is answered by a method frame, which starts with 1.
    async ready() {
      if ((await ask(port, 'AMQP\0\0\x09\x01'))?.[0] !== 1) return false
      return ports['management'] === undefined || manages(ports['management'])
    },
  }
}

/**
 * What 4.0.5 enables by itself, and Khepri, where later releases keep their metadata: with its
 * predecessor, a queue could be lost that was declared just before a kill.
 */
function featureFlags(plugins: readonly string[]): string {
  const flags = [
    'khepri_db',
    'message_containers_deaths_v2',
    'quorum_queue_non_voters',
    'rabbit_exchange_type_local_random',
    'rabbitmq_4.0.0',
  ]
  if (plugins.includes('rabbitmq_management')) flags.push('detailed_queues_endpoint')
  return flags.join()
}

/** The management API answers with errors for a while after the broker is ready. */
async function manages(port: number): Promise<boolean> {
  const credentials = btoa('guest:guest')
  const request = `GET /api/overview HTTP/1.0\r\nauthorization: Basic ${credentials}\r\n\r\n`
  const answer = await ask(port, request)
  return answer?.toString('latin1').startsWith('HTTP/1.1 200 ') ?? false
}

function configuration({ management, stream }: Record<string, number>): string {
  const lines: string[] = []
  if (management !== undefined) {
    lines.push('management.tcp.ip = 127.0.0.1', `management.tcp.port = ${management}`)
  }
  if (stream !== undefined) {
    lines.push(
      `stream.listeners.tcp.1 = 127.0.0.1:${stream}`,
      'stream.advertised_host = 127.0.0.1',
      `stream.advertised_port = ${stream}`,
    )
  }
  return `${lines.join('\n')}\n`
}
