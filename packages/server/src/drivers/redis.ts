import { z } from 'zod'
import { brokerKeys, type DriverEntry } from './driver-entry.ts'

const LOCAL = 'redis://127.0.0.1:6379'

/** `@asbru/driver-redis`. */
export const redis: DriverEntry = {
  keys: {
    url: z
      .union([z.string().min(1), z.array(z.string().min(1)).min(1)], 'expected a URL')
      .exactOptional()
      .describe('Where Redis is: redis:// or rediss://; of a cluster, one node or several.')
      .meta({ defaultText: LOCAL }),
    mode: z
      .enum(['pubsub', 'sharded', 'streams'])
      .exactOptional()
      .describe('How Redis carries messages; streams alone lose none in an outage.')
      .meta({ defaultText: 'pubsub' }),
    prefix: z
      .string()
      .exactOptional()
      .describe('Stands before the topic in the names of channels.')
      .meta({ defaultText: 'none' }),
    streams: z
      .strictObject({
        key: z
          .string()
          .min(1)
          .exactOptional()
          .describe('Key of the stream.')
          .meta({ defaultText: 'asbru' }),
        keys: z
          .array(z.string().min(1))
          .min(1)
          .exactOptional()
          .describe('Keys of several streams.'),
        maxLength: z
          .int()
          .min(1)
          .exactOptional()
          .describe('About how many messages a stream keeps.')
          .meta({ defaultText: '100000' }),
        maxAgeMs: z
          .int()
          .min(1)
          .exactOptional()
          .describe('How long a stream keeps messages, in place of how many.'),
      })
      .exactOptional(),
    ...brokerKeys,
  },

  async create({ url = LOCAL, ...keys }) {
    const { redisDriver } = await import('@asbru/driver-redis')
    const text = [url as string | string[]].flat().join(',')
    // A comma divides nodes of a cluster; anywhere else it belongs to the URL.
    const connection = keys['mode'] === 'sharded' ? { nodes: text.split(',') } : text
    return redisDriver({ ...keys, connection })
  },
}
