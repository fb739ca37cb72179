import {
  type BareClient,
  describeRates,
  describeSubscriptions,
  type RateMessage,
} from '@asbru/trials'
import type { ConfirmChannel, ConsumeMessage } from 'amqplib'
import { bindingsOf, rabbitmqUnderTest, rabbitmqWay } from './support/rabbitmq-harness.ts'

const rabbitmq = await rabbitmqUnderTest()
const { broker, plain } = rabbitmq

const churn = { exchange: 'churn' }

describeSubscriptions([
  {
    way: rabbitmqWay(rabbitmq, 'exchange', churn),
    remains: () => bindingsOf(broker, 'churn'),
    held: async () => (await bindingsOf(broker, 'churn')).length,
  },
  {
    way: rabbitmqWay(rabbitmq, 'stream', { ...churn, stream: { name: 'churn' } }),
    remains: () => bindingsOf(broker, 'churn'),
  },
])

describeRates([
  {
    way: rabbitmqWay(rabbitmq, 'exchange', { exchange: 'load' }),
    bare: (take) => bareClient('bare-queue', {}, take),
  },
  {
    way: rabbitmqWay(rabbitmq, 'stream', { exchange: 'load-stream', stream: { name: 'load' } }),
    bare: (take) => bareClient('bare-stream', { 'x-queue-type': 'stream' }, take),
  },
])

/** One queue on an exchange of the same name; acknowledges as rarely as the driver does. */
async function bareClient(
  name: string,
  queueArguments: object,
  take: (payload: Uint8Array) => void,
): Promise<BareClient> {
  const [publisher, subscriber] = [await plain.createConfirmChannel(), await plain.createChannel()]
  await subscriber.assertExchange(name, 'topic')
  await subscriber.assertQueue(name, { arguments: queueArguments })
  await subscriber.bindQueue(name, name, '#')
  await subscriber.prefetch(1_000)
  let count = 0
  await subscriber.consume(name, (message: ConsumeMessage | null) => {
    take(message!.content)
    if (++count % 100 === 0) subscriber.ack(message!, true)
  })
  return {
    publish: (messages) => Promise.all(messages.map((each) => confirmed(publisher, name, each))),
    close: () => Promise.all([publisher.close(), subscriber.deleteQueue(name)]),
  }
}

function confirmed(
  channel: ConfirmChannel,
  exchange: string,
  { topic, payload }: RateMessage,
): Promise<void> {
  return new Promise((resolve, reject) => {
    channel.publish(exchange, topic, payload, { persistent: true }, (error: Error | null) => {
      if (error === null) resolve()
      else reject(error)
    })
  })
}
