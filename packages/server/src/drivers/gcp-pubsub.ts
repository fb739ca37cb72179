import { z } from 'zod'
import { brokerKeys, type DriverEntry } from './driver-entry.ts'

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
  ...brokerKeys,
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
