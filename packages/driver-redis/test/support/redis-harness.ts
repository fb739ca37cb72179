import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import { type Broker, startBroker, startProxy, type TcpProxy } from '@asbru/brokers'
import type { DriverHarness } from '@asbru/driver-contract'
import { redisDriver } from '@asbru/driver-redis'
import type { Way } from '@asbru/trials'
import { Redis } from 'ioredis'
import { afterAll } from 'vitest'

/** A Redis for the tests of one file, and a proxy before it. */
export interface RedisUnderTest {
  readonly broker: Broker
  readonly proxy: TcpProxy
  /** What a driver connects to: the proxy. */
  readonly url: string
  /** Of any other program: past the proxy. */
  readonly plain: Redis
  /** Publishes at once or not at all. */
  readonly publisher: Redis
}

/** Starts a Redis that ends with the tests of the file. */
export async function redisUnderTest(): Promise<RedisUnderTest> {
  const broker = await startBroker('redis')
  const proxy = await startProxy(broker)
  const plain = new Redis(broker.url)
  plain.on('error', () => {})
  const publisher = plain.duplicate({
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    retryStrategy: () => 20,
  })
  publisher.on('error', () => {})
  await once(publisher, 'ready')
  afterAll(async () => {
    plain.disconnect()
    publisher.disconnect()
    await proxy.stop()
    await broker.stop()
  })
  return { broker, proxy, url: `redis://127.0.0.1:${proxy.port}`, plain, publisher }
}

/** What the contract suite needs, for one mode. */
export function redisHarness(
  { proxy, url, plain }: RedisUnderTest,
  mode: 'pubsub' | 'streams',
): DriverHarness {
  return {
    name: `redis ${mode}`,
    create: async () => ({
      driver: redisDriver({ mode, connection: url, startTimeoutMs: 1_000 }),
      dispose: async () => {},
    }),
    async publishPlain({ topic, payload, event, id }) {
      const data = Buffer.from(payload)
      const names = { ...(event !== undefined && { event }), ...(id !== undefined && { id }) }
      if (mode === 'pubsub') await plain.publish(topic, data)
      else
        await plain.xadd(
          'asbru',
          '*',
          'topic',
          topic,
          'data',
          data,
          ...Object.entries(names).flat(),
        )
    },
    breakConnection: async () => proxy.cut(),
    restoreConnection: async () => proxy.resume(),
  }
}

/** What the trials need, for one mode. */
export function redisWay(
  { broker, url, plain, publisher }: RedisUnderTest,
  mode: 'pubsub' | 'streams',
): Way {
  const isLog = mode === 'streams'
  return {
    name: `redis ${mode}`,
    driver: (at, options) =>
      redisDriver({ mode, connection: at === 'proxy' ? url : broker.url, ...options }),
    publish: (topic, text) =>
      isLog
        ? publisher.xadd('asbru', '*', 'topic', topic, 'data', text)
        : publisher.publish(topic, text),
    ...(isLog && {
      stored: async (topic: string) => {
        const log = await plain.xrange('asbru', '-', '+')
        return log.flatMap(([, fields]) => (fields[1] === topic ? [Number(fields[3])] : []))
      },
    }),
    tellsGapOfOutage: !isLog,
    tellsGapOfCut: !isLog,
    keepsAll: isLog,
    absence: { code: 'ECONNREFUSED' },
    refusesWithinMs: 2_000,
  }
}
