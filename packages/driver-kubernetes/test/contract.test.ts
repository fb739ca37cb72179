import { describeDriver } from '@asbru/driver-contract'
import { Cells } from './support/cells.ts'

const cells = new Cells()

describeDriver({
  name: 'kubernetes',
  create: () => cells.create(),
  publishPlain: (message) => cells.publishPlain(message),
  breakConnection: async () => cells.break(),
  restoreConnection: async () => cells.restore(),
})
