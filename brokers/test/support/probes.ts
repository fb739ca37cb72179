import type { Broker, BrokerName } from '@asbru/brokers'
import { gcpPubsubProbe } from './gcp-pubsub-probe.ts'
import { kafkaProbe } from './kafka-probe.ts'
import { natsProbe } from './nats-probe.ts'
import { rabbitmqProbe } from './rabbitmq-probe.ts'
import { redisProbe } from './redis-probe.ts'

/** Stores something durable in a broker and looks for it, by the broker's own protocol. */
export interface Probe {
  readonly store: (broker: Broker, value: string) => Promise<void>
  /** What was stored, or undefined. */
  readonly find: (broker: Broker) => Promise<string | undefined>
}

export const probes: Record<BrokerName, Probe> = {
  nats: natsProbe,
  redis: redisProbe,
  rabbitmq: rabbitmqProbe,
  kafka: kafkaProbe,
  'gcp-pubsub': gcpPubsubProbe,
}
