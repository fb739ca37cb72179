import { Buffer } from 'node:buffer'
import { type Broker, startBroker, startProxy, type TcpProxy } from '@asbru/brokers'
import type { OutgoingMessage } from '@asbru/core'
import type { DriverHarness } from '@asbru/driver-contract'
import { rabbitmqDriver, type RabbitmqDriverOptions } from '@asbru/driver-rabbitmq'
import { until, type Way } from '@asbru/trials'
import {
  type ConfirmChannel,
  connect,
  type ConsumeMessage,
  type RecoveringChannelModel,
} from 'amqplib'
import { afterAll } from 'vitest'

/** A RabbitMQ for the tests of one file, and a proxy before it. */
export interface RabbitmqUnderTest {
  readonly broker: Broker
  readonly proxy: TcpProxy
  /** What a driver connects to: the proxy. */
  readonly url: string
  /** Of any other program: past the proxy. */
  readonly plain: RecoveringChannelModel
  /** A channel of it. */
  readonly channel: ConfirmChannel
  /** Publishes as any other program would. */
  readonly publishPlain: (message: OutgoingMessage) => Promise<void>
}

/** Starts a RabbitMQ that ends with the tests of the file. */
export async function rabbitmqUnderTest(): Promise<RabbitmqUnderTest> {
  const broker = await startBroker('rabbitmq', { plugins: ['rabbitmq_management'] })
  const proxy = await startProxy(broker)
  const plain = await connect(broker.url, {
    noDelay: true,
    recovery: { initialDelay: 100, maxDelay: 500 },
  })
  plain.on('error', () => {})
  const channel = await plain.createConfirmChannel()
  await channel.assertExchange('asbru', 'topic', { durable: true })
  afterAll(async () => {
    await plain.close()
    await proxy.stop()
    await broker.stop()
  })
  return {
    broker,
    proxy,
    url: `amqp://guest:guest@127.0.0.1:${proxy.port}`,
    plain,
    channel,
    async publishPlain({ topic, payload, event, id }) {
      channel.publish('asbru', topic, Buffer.from(payload), {
        ...(event !== undefined && { headers: { 'asbru-event': event } }),
        ...(id !== undefined && { messageId: id }),
      })
      await channel.waitForConfirms()
    },
  }
}

/** What the contract suite needs, for one mode. */
export function rabbitmqHarness(
  { proxy, url, publishPlain }: RabbitmqUnderTest,
  name: string,
  options: RabbitmqDriverOptions,
): DriverHarness {
  return {
    name: `rabbitmq ${name}`,
    create: async () => ({
      driver: rabbitmqDriver({ connection: url, startTimeoutMs: 1_000, ...options }),
      dispose: async () => {},
    }),
    publishPlain,
    breakConnection: async () => proxy.cut(),
    restoreConnection: async () => proxy.resume(),
  }
}

/** What the trials need, for one mode. */
export function rabbitmqWay(
  { broker, url, plain }: RabbitmqUnderTest,
  name: string,
  options: RabbitmqDriverOptions,
): Way {
  const { stream } = options
  return {
    name: `rabbitmq ${name}`,
    driver: (at, more) =>
      rabbitmqDriver({ connection: at === 'proxy' ? url : broker.url, ...options, ...more }),
    ...(stream !== undefined && {
      stored: (topic: string, atLeast: number) => numbersIn(plain, stream.name, topic, atLeast),
    }),
    // What the broker confirmed is persistent, but its queue says nothing of what it lost.
    tellsGapOfOutage: stream === undefined,
    tellsGapOfCut: false,
    keepsAll: true,
    absence: { code: 'ECONNREFUSED' },
    refusesWithinMs: 10_000,
  }
}

/** The numbers of a topic that a stream holds, at least so many, as its own consumer reads them. */
async function numbersIn(
  plain: RecoveringChannelModel,
  stream: string,
  topic: string,
  atLeast: number,
): Promise<number[]> {
  const numbers: number[] = []
  const reader = await plain.createChannel()
  await reader.prefetch(100)
  const take = (message: ConsumeMessage | null): void => {
    reader.ack(message!)
    if (message!.fields.routingKey === topic) numbers.push(Number(message!.content.toString()))
  }
  await reader.consume(stream, take, { arguments: { 'x-stream-offset': 'first' } })
  await until(() => numbers.length >= atLeast)
  await reader.close()
  return numbers
}

/** The queues of all bindings to an exchange. */
export async function bindingsOf(broker: Broker, exchange: string): Promise<string[]> {
  const path = `exchanges/%2F/${exchange}/bindings/source`
  return ((await ask(broker, path)) as { destination: string }[]).map(
    ({ destination }) => destination,
  )
}

/** The names of all queues. */
export async function queuesOf(broker: Broker): Promise<string[]> {
  return ((await ask(broker, 'queues')) as { name: string }[]).map(({ name }) => name)
}

async function ask({ ports }: Broker, path: string): Promise<unknown> {
  const answer = await fetch(`http://127.0.0.1:${ports['management']}/api/${path}`, {
    headers: { authorization: `Basic ${btoa('guest:guest')}` },
  })
  return answer.json()
}
