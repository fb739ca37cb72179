import { z } from 'zod'
import { brokerKeys, type DriverEntry } from './driver-entry.ts'

const LOCAL = 'amqp://127.0.0.1:5672'

const shape = {
  url: z
    .string('expected a URL')
    .min(1)
    .exactOptional()
    .describe('Where RabbitMQ is: amqp:// or amqps://, with the virtual host as its path.')
    .meta({ defaultText: LOCAL }),
  exchange: z
    .string()
    .min(1)
    .exactOptional()
    .describe('The topic exchange.')
    .meta({ defaultText: 'asbru' }),
  queue: z
    .strictObject({
      maxLength: z
        .int()
        .min(1)
        .exactOptional()
        .describe('How many messages wait for a replica that is cut off or slow.')
        .meta({ defaultText: '100000' }),
      expiresMs: z
        .int()
        .min(1)
        .exactOptional()
        .describe('How long they wait for it.')
        .meta({ defaultText: '60000' }),
    })
    .exactOptional(),
  stream: z
    .strictObject({
      name: z.string().min(1).describe('The stream that holds the messages.'),
      maxAgeMs: z
        .int()
        .min(1_000)
        .exactOptional()
        .describe('How long a stream that is made keeps messages.')
        .meta({ defaultText: '3600000' }),
      maxBytes: z
        .int()
        .min(1)
        .exactOptional()
        .describe('How many bytes of messages a stream that is made keeps.')
        .meta({ defaultText: '268435456' }),
    })
    .exactOptional(),
  ...brokerKeys,
}

/** `@asbru/driver-rabbitmq`. */
export const rabbitmq: DriverEntry = {
  keys: shape,
  async create(keys) {
    const { rabbitmqDriver } = await import('@asbru/driver-rabbitmq')
    const { url = LOCAL, ...options } = z.strictObject(shape).parse(keys)
    return rabbitmqDriver({ ...options, connection: url })
  },
}
