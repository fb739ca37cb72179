import type { Driver } from '@asbru/core'
import { memoryDriver } from '@asbru/driver-memory'
import { z } from 'zod'
import type { DriverEntry, InternalListener } from './drivers/driver-entry.ts'
import { gcpPubsub } from './drivers/gcp-pubsub.ts'
import { kafka } from './drivers/kafka.ts'
import { kubernetes } from './drivers/kubernetes.ts'
import { nats } from './drivers/nats.ts'
import { rabbitmq } from './drivers/rabbitmq.ts'
import { redis } from './drivers/redis.ts'

/** All drivers that configuration can name. A further one needs its line here, and nothing else. */
const drivers: Readonly<Record<string, DriverEntry>> = {
  memory: {
    keys: {},
    create: () => memoryDriver(),
    oneProcess: 'the driver memory reaches one process only',
  },
  kafka,
  nats,
  rabbitmq,
  redis,
  'gcp-pubsub': gcpPubsub,
  kubernetes,
}

/** The schema of the key `driver`: a mapping whose `name` says which other keys there are. */
export function driverSchema(): z.ZodType<DriverConfig> {
  const [first, ...rest] = Object.entries(drivers).map(([name, { keys, faultIn }]) => {
    const literal = z.literal(name).describe('Which driver speaks to the broker.')
    return z.strictObject({ name: literal, ...keys }).superRefine((given, context) => {
      const message = faultIn?.(given)
      if (message !== undefined) context.addIssue({ code: 'custom', message })
    })
  })
  return z.discriminatedUnion('name', [first!, ...rest], {
    error: ({ code }) =>
      code === 'invalid_union' ? `expected one of: ${Object.keys(drivers).join(', ')}` : undefined,
  })
}

/** What `driver` holds once it is checked. */
export interface DriverConfig extends Readonly<Record<string, unknown>> {
  readonly name: string
}

/** Why several workers of one relay cannot share clients by the driver, if they cannot. */
export function whyOneProcess({ name }: DriverConfig): string | undefined {
  return drivers[name]!.oneProcess
}

/** Makes the driver that the configuration names. */
export async function createDriver(
  { name, ...keys }: DriverConfig,
  listener: InternalListener,
): Promise<Driver> {
  return drivers[name]!.create(keys, listener)
}
