import { Redis, type RedisOptions } from 'ioredis'

/** Where the connections come from: options of their own, or those of a client that exists. */
export type RedisSource =
  | {
      /**
       * A URL, or ioredis options. How a connection is made again and what waits for it is up to the driver.
       *
       * @default 'redis://127.0.0.1:6379'
       */
      connection?: string | RedisOptions
    }
  | {
      /** A client whose options the driver's own connections take over; it is not used itself, and left open. */
      client: Redis
    }

/** Makes a connection that is not open yet. */
export type Connect = (options?: { commandTimeout?: number }) => Redis

/** How to make connections to one server, or to a master that sentinels name. */
export function connectTo(source: RedisSource): Connect {
  if ('client' in source) return (options) => source.client.duplicate({ ...own, ...options })
  const { connection = {} } = source
  return (options) =>
    typeof connection === 'string'
      ? new Redis(connection, { ...own, ...options })
      : new Redis({ ...connection, ...own, ...options })
}

/** How long Redis may take to answer a command; a publish that it does not answer has failed after 2 s. */
export const COMMAND_TIMEOUT_MS = 1_500

/** What the driver decides itself: it restores, resends and queues in its own way, or not at all. */
export const own: RedisOptions & { replyMapping: 'legacy' } = {
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
