import { startBroker } from '@asbru/brokers'
import { connect } from 'nats'
import { behindDoors, type ClusterMode, type PlainPublisher } from '../support/cluster-mode.ts'

/** Core subjects: nothing is kept. */
export const natsCore: ClusterMode = {
  name: 'NATS core',
  hasLog: false,
  inFull: true,
  start: (replicas) => started(replicas, '', []),
}

/** JetStream: a stream keeps what is published. */
export const jetstream: ClusterMode = {
  name: 'JetStream',
  hasLog: true,
  inFull: true,
  start: (replicas) => started(replicas, 'events.', ['--driver.jetstream.stream=EVENTS']),
}

async function started(
  replicas: number,
  prefix: string,
  more: readonly string[],
): ReturnType<ClusterMode['start']> {
  const broker = await startBroker('nats')
  return behindDoors({
    broker,
    replicas,
    argsFor: (port) => ['--driver=nats', `--driver.url=nats://127.0.0.1:${port}`, ...more],
    publisher: await natsPublisher(broker.url, prefix),
  })
}

async function natsPublisher(url: string, prefix: string): Promise<PlainPublisher> {
  const connection = await connect({
    servers: url,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 50,
  })
  const stream = connection.jetstream({ timeout: 2_000 })
  return {
    async publish(topic, payload) {
      if (prefix === '') {
        connection.publish(topic, payload)
        await connection.flush()
      } else {
        await stream.publish(prefix + topic, payload)
      }
    },
    close: () => connection.close(),
  }
}
