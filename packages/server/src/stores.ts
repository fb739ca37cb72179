import type { ClientStore, ReplicatedClientStoreOptions } from '@asbru/core'
import { z } from 'zod'

const LOCAL = 'redis://127.0.0.1:6379'

/** What `store` holds once it is checked. */
export interface StoreConfig {
  readonly name: 'redis'
  readonly url?: string
  readonly prefix?: string
}

/** The schema of the key `store`: a mapping whose `name` says which other keys there are. */
export const storeSchema: z.ZodType<StoreConfig> = z.discriminatedUnion(
  'name',
  [
    z.strictObject({
      name: z.literal('redis').describe('Where clients are kept as well as in the replicas.'),
      url: z
        .string()
        .min(1)
        .exactOptional()
        .describe('Where that Redis is: redis:// or rediss://.')
        .meta({ defaultText: LOCAL }),
      prefix: z
        .string()
        .exactOptional()
        .describe('Stands before the names of its keys.')
        .meta({ defaultText: 'asbru:' }),
    }),
  ],
  { error: ({ code }) => (code === 'invalid_union' ? 'expected one of: redis' : undefined) },
)

/** Makes the store that the configuration names. */
export async function createStore(
  { url = LOCAL, prefix }: StoreConfig,
  options: ReplicatedClientStoreOptions,
): Promise<ClientStore> {
  const { redisClientStore } = await import('@asbru/store-redis')
  return redisClientStore({
    ...options,
    connection: url,
    ...(prefix !== undefined && { prefix }),
  })
}
