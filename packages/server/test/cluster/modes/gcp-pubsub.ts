import { Buffer } from 'node:buffer'
import { startBroker } from '@asbru/brokers'
import { type ClientConfig, PubSub } from '@google-cloud/pubsub'
import { behindDoors, type ClusterMode, type PlainPublisher } from '../support/cluster-mode.ts'

const projectId = 'test'

/** Pub/Sub: what is published is kept for each replica, without positions. */
export const gcpPubsub: ClusterMode = {
  name: 'Pub/Sub',
  hasLog: false,
  async start(replicas) {
    const broker = await startBroker('gcp-pubsub')
    return behindDoors({
      broker,
      replicas,
      argsFor: (port) => [
        '--driver=gcp-pubsub',
        `--driver.project-id=${projectId}`,
        `--driver.url=127.0.0.1:${port}`,
      ],
      publisher: pubsubPublisher(broker.url),
    })
  },
}

function pubsubPublisher(apiEndpoint: string): PlainPublisher {
  const options: ClientConfig & Record<string, unknown> = {
    projectId,
    apiEndpoint,
    'grpc.max_reconnect_backoff_ms': 100,
  }
  const pubsub = new PubSub(options)
  const asbru = pubsub.topic('asbru', { messageOrdering: true, batching: { maxMilliseconds: 1 } })
  return {
    async publish(topic, payload) {
      const attributes = { 'asbru-topic': topic }
      try {
        await asbru.publishMessage({ data: Buffer.from(payload), attributes, orderingKey: topic })
      } catch (error) {
        asbru.resumePublishing(topic)
        throw error
      }
    },
    close: () => pubsub.close(),
  }
}
