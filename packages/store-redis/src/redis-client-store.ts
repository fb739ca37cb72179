import {
  type ClientStore,
  replicatedClientStore,
  type ReplicatedClientStoreOptions,
} from '@asbru/core'
import type { Redis, RedisOptions } from 'ioredis'
import { RedisArchive } from './redis-archive.ts'

/** What a {@link redisClientStore} may be told. */
export type RedisClientStoreOptions = Omit<ReplicatedClientStoreOptions, 'archive'> &
  (
    | {
        /**
         * A URL, or ioredis options.
         *
         * @default 'redis://127.0.0.1:6379'
         */
        connection?: string | RedisOptions
      }
    | {
        /** A client that is used as it is, and left open. */
        client: Redis
      }
  ) & {
    /**
     * Stands before the names of all keys.
     *
     * @default 'asbru:'
     */
    prefix?: string
  }

/**
 * Keeps clients on all replicas, and in Redis or Valkey as well, so that they survive the loss of all replicas. With any
 * driver. A replica that starts and finds no other begins with what Redis has.
 *
 * @example
 * const store = redisClientStore({ connection: 'redis://127.0.0.1:6379' })
 * const streamer = new Streamer({ driver: natsDriver(), store })
 */
export function redisClientStore(options: RedisClientStoreOptions = {}): ClientStore {
  return replicatedClientStore({ ...options, archive: new RedisArchive(options) })
}
