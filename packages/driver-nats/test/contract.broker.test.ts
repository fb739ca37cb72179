import { startBroker, startProxy } from '@asbru/brokers'
import { describeDriver } from '@asbru/driver-contract'
import { natsDriver } from '@asbru/driver-nats'
import { connect } from '@nats-io/transport-node'
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

const connection = { servers: `127.0.0.1:${proxy.port}` }
const modes = { 'core subjects': {}, JetStream: { jetstream: { stream: 'EVENTS' } } }

for (const [mode, options] of Object.entries(modes)) {
  const prefix = 'jetstream' in options ? 'events.' : ''
  const shared = {
    publishPlain: plain.publishTo(prefix),
    breakConnection: async () => proxy.cut(),
    restoreConnection: async () => proxy.resume(),
  }

  describeDriver({
    ...shared,
    name: `nats, ${mode}, nats.js 2`,
    async create() {
      const driver = natsDriver({ ...options, connection, startTimeoutMs: 1_000 })
      return { driver, dispose: async () => {} }
    },
  })

  describeDriver({
    ...shared,
    name: `nats, ${mode}, a connection of @nats-io/transport-node`,
    async create() {
      const client = await connect({
        ...connection,
        maxReconnectAttempts: -1,
        reconnectTimeWait: 200,
      })
      const driver = natsDriver({ ...options, client, startTimeoutMs: 1_000 })
      return { driver, dispose: () => client.close() }
    },
  })
}
