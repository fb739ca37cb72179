import { Command, type Redis, type RedisOptions } from 'ioredis'
import { CHANGE_TIMEOUT_MS, type ClusterConnection, newRedis } from './connect.ts'

/** Which node of a cluster is the master of which slot. */
export class ClusterMap {
  readonly #seeds: readonly RedisOptions[]
  readonly #redisOptions: RedisOptions
  readonly #natMap: (node: string) => { host: string; port: number } | null | undefined
  /** By slot, `host:port`. */
  #nodes: (string | undefined)[] = []

  constructor({ nodes, redisOptions, natMap = {} }: ClusterConnection) {
    // A URL is read by the client that it would be given to.
    this.#seeds = nodes.map((node) => (typeof node === 'string' ? newRedis(node).options : node))
    this.#redisOptions = redisOptions ?? this.#seeds[0] ?? {}
    this.#natMap = typeof natMap === 'function' ? natMap : (node) => natMap[node]
  }

  /** All masters that have slots. */
  get masters(): ReadonlySet<string> {
    return new Set(this.#nodes.filter((node) => node !== undefined))
  }

  /** The master that has a channel's slot, if any has. */
  masterOf(channel: string): string | undefined {
    return this.#nodes[new Command('ssubscribe', [channel]).getSlot() ?? -1]
  }

  /** A connection to a node that is not open yet. */
  connect(node: string): Redis {
    const colon = node.lastIndexOf(':')
    const at = { host: node.slice(0, colon), port: Number(node.slice(colon + 1)) }
    // The third version of the protocol has messages and answers on one connection.
    const options = { protocol: 3, commandTimeout: CHANGE_TIMEOUT_MS } as const
    return newRedis({ ...this.#redisOptions, ...(this.#natMap(node) ?? at) }, options)
  }

  /** Asks the nodes in turn, those of open connections first. Rejects with the last error if none answers. */
  async refresh(open: Iterable<Redis>): Promise<void> {
    for (const redis of open) {
      try {
        this.#take(await redis.cluster('SLOTS'), redis)
        return
      } catch {
        // The next one may know.
      }
    }
    let fault: unknown
    for (const seed of this.#seeds) {
      const redis = newRedis({ ...this.#redisOptions, ...seed }, { retryStrategy: () => null })
      redis.on('error', (error) => (fault = error))
      try {
        await redis.connect()
        this.#take(await redis.cluster('SLOTS'), redis)
        return
      } catch (error) {
        fault ??= error
      } finally {
        redis.disconnect()
      }
    }
    throw fault
  }

  #take(reply: unknown, { options }: Redis): void {
    const nodes: (string | undefined)[] = []
    for (const [first, last, [host, port]] of reply as [
      number,
      number,
      [string | null, number],
    ][]) {
      // A node that does not know its own address leaves it out.
      nodes.length = Math.max(nodes.length, last + 1)
      nodes.fill(`${host || options.host}:${port}`, first, last + 1)
    }
    this.#nodes = nodes
  }
}
