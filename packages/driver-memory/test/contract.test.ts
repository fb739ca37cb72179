import { describeDriver } from '@asbru/driver-contract'
import { memoryBroker, memoryDriver } from '@asbru/driver-memory'

const broker = memoryBroker()

describeDriver({
  name: 'memory',
  create: async () => ({ driver: memoryDriver({ broker }), dispose: async () => {} }),
  publishPlain: async (message) => broker.publish(message),
})
