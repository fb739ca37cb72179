export { describeNetworks } from './networks.ts'
export { describeAbsence, describeOutages } from './outages.ts'
export { type BareClient, describeRates, type RateMessage, rateTopics } from './rates.ts'
export {
  bytes,
  Opened,
  openedDriver,
  openedWith,
  openOptions,
  Recorder,
  textOf,
  until,
} from './recorder.ts'
export { describeRelays, eventsOf } from './relays.ts'
export { steadyStream } from './steady-stream.ts'
export { describeSubscriptions } from './subscriptions.ts'
export type { Way } from './way.ts'
