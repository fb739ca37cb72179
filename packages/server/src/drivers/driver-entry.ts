import type { Driver } from '@asbru/core'
import { z } from 'zod'

/** A driver as the command knows it. */
export interface DriverEntry {
  /** The keys that `driver` takes from configuration, `name` apart. */
  readonly keys: z.ZodRawShape
  /** What is wrong with the mix of keys that are each right, if anything is. @default nothing can be */
  readonly faultIn?: (keys: Readonly<Record<string, unknown>>) => string | undefined
  /** Makes it from keys that were checked. May load its package first. */
  readonly create: (
    keys: Readonly<Record<string, unknown>>,
    listener: InternalListener,
  ) => Driver | Promise<Driver>
  /** Why several processes that share the listeners cannot use it. @default they can */
  readonly oneProcess?: string
}

/** Where the relay serves what other relays may want of it. */
export interface InternalListener {
  readonly internalHost: string
  /** As configured: 0 for a free one. */
  readonly internalPort: number
  /** The port that it has, once it listens. */
  readonly boundPort: () => number
}

/** Keys of every driver that has a broker. */
export const brokerKeys: {
  create: z.ZodExactOptional<z.ZodBoolean>
  startTimeoutMs: z.ZodExactOptional<z.ZodInt>
} = {
  create: z
    .boolean()
    .exactOptional()
    .describe('Whether what the driver needs on the broker is made if it is absent.')
    .meta({ defaultText: 'true' }),
  startTimeoutMs: z
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .exactOptional()
    .describe('How long a start waits for a broker that is absent; 0 for ever.')
    .meta({ defaultText: '10000' }),
}
