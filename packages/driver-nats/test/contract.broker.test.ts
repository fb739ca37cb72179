import { startBroker, startProxy } from '@asbru/brokers'
import { describeDriver } from '@asbru/driver-contract'
import { natsDriver } from '@asbru/driver-nats'
import { afterAll } from 'vitest'
import { plainPublisher } from './support/plain-publisher.ts'

const broker = await startBroker('nats')
const proxy = await startProxy(broker)
const plain = await plainPublisher(broker)
afterAll(async () => {
  await plain.close()
  await proxy.stop()
  await broker.stop()
})

const options = { connection: { servers: `127.0.0.1:${proxy.port}` }, startTimeoutMs: 1_000 }

const shared = {
  breakConnection: async () => proxy.cut(),
  restoreConnection: async () => proxy.resume(),
}

describeDriver({
  ...shared,
  name: 'nats',
  create: async () => ({ driver: natsDriver(options), dispose: async () => {} }),
  publishPlain: (message) => plain.publish(message),
})

describeDriver({
  ...shared,
  name: 'nats with JetStream',
  create: async () => ({
    driver: natsDriver({ ...options, jetstream: { stream: 'EVENTS' } }),
    dispose: async () => {},
  }),
  publishPlain: (message) => plain.publish({ ...message, topic: `events.${message.topic}` }),
})
