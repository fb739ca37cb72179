import { startBroker, startProxy } from '@asbru/brokers'
import kafkajs from 'kafkajs'
import type { BrokerUnderTest, ClusterMode, PlainPublisher } from '../support/cluster-mode.ts'

/** Kafka: a topic keeps what is published. */
export const kafka: ClusterMode = { name: 'Kafka', hasLog: true, start: started }

/** Kafka tells its clients where it is, so that each proxy needs a listener that says so. */
async function started(replicas: number): Promise<BrokerUnderTest> {
  const targets = Array.from({ length: replicas }, () => ({ port: 0 }))
  const proxies = await Promise.all(targets.map(startProxy))
  const broker = await startBroker('kafka', { proxies: proxies.map(({ port }) => port) })
  for (const [i, target] of targets.entries()) target.port = broker.ports[`behind-${i}`]!
  const publisher = await kafkaPublisher(broker.url)
  const doors = proxies.map((proxy) => ({
    way: proxy,
    args: ['--driver=kafka', `--driver.url=127.0.0.1:${proxy.port}`],
  }))
  return {
    broker,
    publisher,
    doorsFor: async () => doors,
    async stop() {
      await publisher.close()
      for (const proxy of proxies) await proxy.stop()
      await broker.stop()
    },
  }
}

async function kafkaPublisher(url: string): Promise<PlainPublisher> {
  const plain = new kafkajs.Kafka({
    brokers: [url],
    logLevel: kafkajs.logLevel.NOTHING,
    retry: { initialRetryTime: 50, maxRetryTime: 200, retries: 5 },
  })
  const producer = plain.producer({
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    allowAutoTopicCreation: false,
    metadataMaxAge: 1_000,
  })
  await producer.connect()
  return {
    async publish(topic, payload) {
      await producer.send({ topic: 'asbru', messages: [{ key: topic, value: payload }] })
    },
    close: () => producer.disconnect(),
  }
}
