import { z } from 'zod'
import { brokerKeys, type DriverEntry } from './driver-entry.ts'

const LOCAL = '127.0.0.1:9092'

const shape = {
  url: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)], 'expected host:port')
    .exactOptional()
    .describe('Where Kafka is, host:port; several brokers with commas between.')
    .meta({ defaultText: LOCAL }),
  connection: z
    .record(z.string(), z.unknown())
    .exactOptional()
    .describe('Further options of the client of Kafka, such as ssl and sasl; in a file only.'),
  topics: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)], 'expected names')
    .exactOptional()
    .describe(
      'The Kafka topics, with commas between; or with kafka-topic, one regular expression between slashes.',
    )
    .meta({ defaultText: 'asbru' }),
  topicFrom: z
    .enum(['record', 'kafka-topic'])
    .exactOptional()
    .describe('Where a topic is named: in the record, or by the Kafka topic that holds it.')
    .meta({ defaultText: 'record' }),
  partitions: z
    .int()
    .min(1)
    .exactOptional()
    .describe('How many partitions a Kafka topic gets that is made.')
    .meta({ defaultText: '4' }),
  retentionMs: z
    .int()
    .min(1)
    .exactOptional()
    .describe('How long a Kafka topic that is made keeps messages.')
    .meta({ defaultText: '3600000' }),
  groupPrefix: z
    .string()
    .min(1)
    .exactOptional()
    .describe('Begins the names of consumer groups.')
    .meta({ defaultText: 'asbru-' }),
  ...brokerKeys,
}

/** `@asbru/driver-kafka`. */
export const kafka: DriverEntry = {
  keys: shape,
  async create(keys) {
    const { kafkaDriver } = await import('@asbru/driver-kafka')
    const { url = LOCAL, connection, topics, ...options } = z.strictObject(shape).parse(keys)
    return kafkaDriver({
      ...options,
      ...(topics !== undefined && { topics: topicsOf(topics) }),
      connection: { brokers: listOf(url), ...connection },
    })
  },
}

function topicsOf(topics: string | string[]): string[] | RegExp {
  const expression = typeof topics === 'string' ? /^\/(?<source>.+)\/$/.exec(topics) : null
  return expression === null ? listOf(topics) : new RegExp(expression.groups!['source']!)
}

function listOf(texts: string | string[]): string[] {
  return [texts].flat().flatMap((some) => some.split(',').map((each) => each.trim()))
}
