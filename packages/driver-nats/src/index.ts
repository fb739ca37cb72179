export type {
  NatsClient,
  NatsHeaders,
  NatsMessage,
  NatsStatus,
  NatsSubscription,
} from './nats-client.ts'
export { natsDriver, type NatsDriverOptions } from './nats-driver.ts'
export type { JetStreamOptions } from './stream.ts'
