export { gcpPubsubDriver, type GcpPubsubDriverOptions } from './gcp-pubsub-driver.ts'
