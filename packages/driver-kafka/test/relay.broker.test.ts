import { describeRelays } from '@asbru/trials'
import { kafkaUnderTest } from './support/kafka-harness.ts'

const { admin, broker, producer } = await kafkaUnderTest()
await admin.createTopics({ topics: [{ topic: 'orders.42', numPartitions: 1 }] })

const args = ['--driver', 'kafka', '--driver.url', broker.url]

describeRelays([
  { name: 'Kafka, by records', args, publish: (text) => send('asbru', text) },
  {
    name: 'Kafka, by Kafka topics',
    args: [...args, '--driver.topic-from', 'kafka-topic', '--driver.topics', '/^orders\\./'],
    publish: (text) => send('orders.42', text),
  },
])

function send(topic: string, text: string): Promise<unknown> {
  return producer.send({ topic, messages: [{ key: 'orders.42', value: text }] })
}
