import { Buffer } from 'node:buffer'
import { connect } from 'node:net'
import { type Broker, startBroker, startProxy, type TcpProxy } from '@asbru/brokers'
import type { DriverHarness } from '@asbru/driver-contract'
import { kafkaDriver } from '@asbru/driver-kafka'
import { until, type Way } from '@asbru/trials'
import kafkajs, { type Admin, type Kafka, type Producer } from 'kafkajs'
import { afterAll, expect } from 'vitest'

/** A Kafka for the tests of one file, and a proxy before it. */
export interface KafkaUnderTest {
  readonly broker: Broker
  readonly proxy: TcpProxy
  /** Of any other program: past the proxy. */
  readonly plain: Kafka
  readonly admin: Admin
  readonly producer: Producer
}

/** Starts a Kafka that ends with the tests of the file. */
export async function kafkaUnderTest(
  options: Parameters<typeof startBroker<'kafka'>>[1] = {},
): Promise<KafkaUnderTest> {
  const broker = await startBroker('kafka', options)
  const proxy = await startProxy(broker)
  const plain = new kafkajs.Kafka({
    brokers: [broker.url],
    logLevel: kafkajs.logLevel.NOTHING,
    retry: { initialRetryTime: 50, maxRetryTime: 200, retries: 100 },
  })
  const admin = plain.admin({ retry: { retries: 10 } })
  const producer = plain.producer({
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    allowAutoTopicCreation: false,
    metadataMaxAge: 1_000,
  })
  await Promise.all([admin.connect(), producer.connect()])
  afterAll(async () => {
    await Promise.all([admin.disconnect(), producer.disconnect()])
    await proxy.stop()
    await broker.stop()
  })
  return { broker, proxy, plain, admin, producer }
}

/** How the driver connects through the proxy, which the broker knows nothing of. */
export function throughProxy({ broker, proxy }: KafkaUnderTest): {
  brokers: string[]
  socketFactory: NonNullable<kafkajs.KafkaConfig['socketFactory']>
} {
  return {
    brokers: [broker.url],
    socketFactory: ({ onConnect }) => connect({ host: '127.0.0.1', port: proxy.port }, onConnect),
  }
}

/** What the contract suite needs. */
export function kafkaHarness(kafka: KafkaUnderTest): DriverHarness {
  return {
    name: `kafka ${kafka.broker.version}`,
    create: async () => ({
      driver: kafkaDriver({ connection: throughProxy(kafka), startTimeoutMs: 3_000 }),
      dispose: async () => {},
    }),
    async publishPlain({ topic, payload, event, id }) {
      const headers = {
        ...(event !== undefined && { 'asbru-event': event }),
        ...(id !== undefined && { 'asbru-id': id }),
      }
      const message = { key: topic, value: Buffer.from(payload), headers }
      await kafka.producer.send({ topic: 'asbru', messages: [message] })
    },
    breakConnection: async () => kafka.proxy.cut(),
    restoreConnection: async () => kafka.proxy.resume(),
  }
}

/** What the trials need. */
export function kafkaWay(kafka: KafkaUnderTest): Way {
  const { broker, plain, producer } = kafka
  return {
    name: `kafka ${broker.version}`,
    driver: (at, options) =>
      kafkaDriver({
        connection: at === 'proxy' ? throughProxy(kafka) : { brokers: [broker.url] },
        ...options,
      }),
    publish: (topic, text) =>
      producer.send({ topic: 'asbru', messages: [{ key: topic, value: text }] }),
    stored: (topic, atLeast) => recordsOf(plain, topic, atLeast),
    tellsGapOfOutage: false,
    tellsGapOfCut: false,
    keepsAll: true,
    mayOverlookOutage: true,
    absence: { message: expect.stringContaining('ECONNREFUSED') },
    refusesWithinMs: 6_000,
  }
}

/** The values of all records with the key, at least so many, as a plain consumer reads them. */
async function recordsOf(plain: Kafka, key: string, atLeast: number): Promise<number[]> {
  const consumer = plain.consumer({
    groupId: `records-${Math.random()}`,
    maxWaitTimeInMs: 100,
    allowAutoTopicCreation: false,
  })
  const values: number[] = []
  await consumer.connect()
  await consumer.subscribe({ topics: ['asbru'], fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ message }) => {
      if (message.key?.toString() === key) values.push(Number(message.value!.toString()))
    },
  })
  await until(() => values.length >= atLeast)
  await consumer.disconnect()
  return values
}
