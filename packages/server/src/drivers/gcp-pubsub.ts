import { z } from 'zod'
import type { DriverEntry } from '../drivers.ts'

const shape = {
  projectId: z
    .string()
    .min(1)
    .exactOptional()
    .describe('The project of Google Cloud.')
    .meta({ defaultText: "the environment's" }),
  topic: z
    .string()
    .min(1)
    .exactOptional()
    .describe('The Pub/Sub topic that carries all topics.')
    .meta({ defaultText: 'asbru' }),
  topicFrom: z
    .enum(['attribute', 'pubsub-topic'])
    .exactOptional()
    .describe(
      'Whether messages without the attribute asbru-topic have the Pub/Sub topic for theirs.',
    )
    .meta({ defaultText: 'attribute' }),
  url: z
    .string()
    .min(1)
    .exactOptional()
    .describe('Where an emulator of Pub/Sub is: host:port.')
    .meta({ defaultText: "none; Google's service" }),
  connection: z
    .record(z.string(), z.unknown())
    .exactOptional()
    .describe('Further options of the client of Pub/Sub, such as keyFilename; in a file only.'),
  create: z
    .boolean()
    .exactOptional()
    .describe('Whether a Pub/Sub topic that is absent is made.')
    .meta({ defaultText: 'true' }),
  startTimeoutMs: z
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .exactOptional()
    .describe('How long a start waits for a service that is out of reach; 0 for ever.')
    .meta({ defaultText: '10000' }),
}

/** Google Cloud Pub/Sub, whose client is loaded only by those who name it. */
export const gcpPubsub: DriverEntry = {
  keys: shape,
  async create(keys) {
    const { gcpPubsubDriver } = await import('@asbru/driver-gcp-pubsub')
    const { projectId, url, connection, ...options } = z.strictObject(shape).parse(keys)
    return gcpPubsubDriver({
      ...options,
      connection: {
        ...(projectId !== undefined && { projectId }),
        ...(url !== undefined && { apiEndpoint: url, emulatorMode: true }),
        ...connection,
      },
    })
  },
}
