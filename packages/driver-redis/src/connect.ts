import { Cluster, type NatMap, Redis, type RedisOptions } from 'ioredis'

/** How to reach a Redis Cluster. */
export interface ClusterConnection {
  /** URLs or ioredis options of some of its nodes; the others are found by asking these. */
  nodes: readonly (string | RedisOptions)[]
  /**
   * ioredis options for all nodes, such as credentials and TLS.
   *
   * @default those of the first node
   */
  redisOptions?: RedisOptions
  /** From the `host:port` that a node goes by in the cluster to where it is reached from here. */
  natMap?: NatMap
}

/** Where the connections come from: options of their own, or those of a client that exists. */
export type RedisSource =
  | {
      /**
       * A URL, ioredis options, or nodes of a cluster for the mode `sharded`. How a connection is made again
       * and what waits for it is up to the driver.
       *
       * @default 'redis://127.0.0.1:6379'
       */
      connection?: string | RedisOptions | ClusterConnection
    }
  | {
      /** A client whose options the driver's own connections take over; it is not used itself, and left open. */
      client: Redis | Cluster
    }

/** Makes a connection that is not open yet. */
export type Connect = (options?: ConnectOptions) => Redis

/** What is not the same for all connections. */
export type ConnectOptions = Pick<RedisOptions, 'commandTimeout' | 'retryStrategy' | 'protocol'>

/** How to make connections to one server, or to a master that sentinels name. */
export function connectTo(source: RedisSource): Connect {
  if ('client' in source) {
    const { client } = source
    if (client instanceof Cluster) throw new Error('A cluster client is for the mode `sharded`.')
    return (options) => client.duplicate({ ...own, ...options })
  }
  const { connection = {} } = source
  if (isCluster(connection)) throw new Error('`nodes` are for the mode `sharded`.')
  return (options) => newRedis(connection, options)
}

/** How to reach the cluster that `source` names, or of which it names one node. */
export function clusterOf(source: RedisSource): ClusterConnection {
  if ('client' in source) {
    const { client } = source
    if (!(client instanceof Cluster)) return { nodes: [client.options] }
    const { redisOptions, natMap } = client.options
    const nodes = client.nodes().map(({ options: { host, port } }) => ({ host, port }))
    if (nodes.length === 0) throw new Error('The cluster client knows no nodes: connect it first.')
    return {
      nodes,
      ...(redisOptions && { redisOptions }),
      ...(natMap && { natMap }),
    } as ClusterConnection
  }
  const { connection = {} } = source
  return isCluster(connection) ? connection : { nodes: [connection] }
}

function isCluster(connection: string | object): connection is ClusterConnection {
  return typeof connection === 'object' && 'nodes' in connection
}

/** A connection that is not open yet, with the driver's own settings. */
export function newRedis(connection: string | RedisOptions, options?: ConnectOptions): Redis {
  return typeof connection === 'string'
    ? new Redis(connection, { ...own, ...options })
    : new Redis({ ...connection, ...own, ...options })
}

/** How long Redis may take to answer a command; a publish that it does not answer has failed after 2 s. */
export const COMMAND_TIMEOUT_MS = 1_500

/** On a connection with subscriptions, where an answer waits behind messages. */
export const CHANGE_TIMEOUT_MS = 5_000

/** What the driver decides itself: it restores, resends and queues in its own way, or not at all. */
const own: RedisOptions & { replyMapping: 'legacy' } = {
  lazyConnect: true,
  // What cannot be sent now fails now. Sent again, it might arrive twice; sent late, it would be a surprise.
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  retryStrategy: (attempt) => Math.min(50 * attempt, 500),
  maxLoadingRetryTime: 250,
  connectTimeout: 5_000,
  commandTimeout: COMMAND_TIMEOUT_MS,
  keyPrefix: '',
  replyMapping: 'legacy',
}
