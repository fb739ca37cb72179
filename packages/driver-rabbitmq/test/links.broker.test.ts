import { describeNetworks } from '@asbru/trials'
import { rabbitmqUnderTest, rabbitmqWay } from './support/rabbitmq-harness.ts'

const rabbitmq = await rabbitmqUnderTest()

describeNetworks({
  name: 'RabbitMQ',
  proxies: [rabbitmq.proxy],
  ways: [
    rabbitmqWay(rabbitmq, 'exchange', {}),
    rabbitmqWay(rabbitmq, 'stream', { stream: { name: 'links' } }),
  ],
})
