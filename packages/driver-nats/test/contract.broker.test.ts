import { describeDriver } from '@asbru/driver-contract'
import { natsDriver } from '@asbru/driver-nats'
import { connect } from '@nats-io/transport-node'
import { natsUnderTest } from './support/nats-under-test.ts'

const { connection, plain, proxy } = await natsUnderTest()
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
