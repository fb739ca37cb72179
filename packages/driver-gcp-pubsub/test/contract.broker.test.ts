import { describeDriver } from '@asbru/driver-contract'
import { gcpPubsubDriver } from '@asbru/driver-gcp-pubsub'
import { pubsubUnderTest } from './support/pubsub-under-test.ts'

const { proxy, connection, publishPlain } = await pubsubUnderTest()

describeDriver({
  name: 'gcp-pubsub',
  create: async () => ({
    driver: gcpPubsubDriver({ connection, startTimeoutMs: 1_000 }),
    dispose: async () => {},
  }),
  publishPlain,
  // The fake hands out some hundred messages a second, and those of a topic one by one.
  patienceMs: 30_000,
  loadMessages: 5_000,
  settlingRounds: 50,
  breakConnection: async () => proxy.cut(),
  restoreConnection: async () => proxy.resume(),
})
