import { describeDriver } from '@asbru/driver-contract'
import { rabbitmqHarness, rabbitmqUnderTest } from './support/rabbitmq-harness.ts'

const rabbitmq = await rabbitmqUnderTest()

describeDriver(rabbitmqHarness(rabbitmq, 'exchange', {}))
describeDriver(rabbitmqHarness(rabbitmq, 'stream', { stream: { name: 'asbru' } }))
