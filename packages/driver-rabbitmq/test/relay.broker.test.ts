import { bytes, describeRelays } from '@asbru/trials'
import { rabbitmqUnderTest } from './support/rabbitmq-harness.ts'

const { broker, publishPlain } = await rabbitmqUnderTest()

const args = ['--driver', 'rabbitmq', '--driver.url', broker.url]
const publish = (text: string) => publishPlain({ topic: 'orders.42', payload: bytes(text) })

describeRelays([
  { name: 'RabbitMQ by the exchange', args, publish },
  { name: 'RabbitMQ by a stream', args: [...args, '--driver.stream.name', 'relayed'], publish },
])
