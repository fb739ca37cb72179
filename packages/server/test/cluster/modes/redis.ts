import { startBroker } from '@asbru/brokers'
import { Redis } from 'ioredis'
import { behindDoors, type ClusterMode, type PlainPublisher } from '../support/cluster-mode.ts'

/** Pub/sub: nothing is kept. */
export const redisPubsub: ClusterMode = {
  name: 'Redis pub/sub',
  hasLog: false,
  start: (replicas) => started(replicas, 'pubsub'),
}

/** Streams: a key keeps what is published. */
export const redisStreams: ClusterMode = {
  name: 'Redis Streams',
  hasLog: true,
  start: (replicas) => started(replicas, 'streams'),
}

async function started(
  replicas: number,
  mode: 'pubsub' | 'streams',
): ReturnType<ClusterMode['start']> {
  const broker = await startBroker('redis')
  return behindDoors({
    broker,
    replicas,
    argsFor: (port) => [
      '--driver=redis',
      `--driver.mode=${mode}`,
      `--driver.url=redis://127.0.0.1:${port}`,
    ],
    publisher: redisPublisher(broker.url, mode),
  })
}

function redisPublisher(url: string, mode: 'pubsub' | 'streams'): PlainPublisher {
  const redis = new Redis(url, { maxRetriesPerRequest: 0, retryStrategy: () => 50 })
  redis.on('error', () => {})
  return {
    async publish(topic, payload) {
      if (mode === 'pubsub') await redis.publish(topic, payload)
      else await redis.xadd('asbru', '*', 'topic', topic, 'data', payload)
    },
    async close() {
      redis.disconnect()
    },
  }
}
