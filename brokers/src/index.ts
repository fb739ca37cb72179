export type { Broker, BrokerName, BrokerOptions } from './broker.ts'
export { brokerNames } from './broker.ts'
export { startBroker } from './start-broker.ts'
export { selectedBrokers } from './selected-brokers.ts'
