import { setTimeout as wait } from 'node:timers/promises'
import { describeAbsence, describeOutages } from '@asbru/trials'
import { rabbitmqUnderTest, rabbitmqWay } from './support/rabbitmq-harness.ts'

const rabbitmq = await rabbitmqUnderTest()
// RabbitMQ that is killed right after it made its first stream ever loses it, and nothing tells when it is safe.
await rabbitmq.channel.assertQueue('first', { arguments: { 'x-queue-type': 'stream' } })
await wait(2_000)

const ways = [
  rabbitmqWay(rabbitmq, 'exchange', {}),
  rabbitmqWay(rabbitmq, 'stream', { stream: { name: 'outages' } }),
]
const trial = { name: 'RabbitMQ', broker: rabbitmq.broker, ways }

describeOutages(trial)
describeAbsence(trial)
