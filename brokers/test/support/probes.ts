import type { Broker, BrokerName } from '@asbru/brokers'
import { natsProbe } from './nats-probe.ts'
import { redisProbe } from './redis-probe.ts'

/** Stores something durable in a broker and looks for it, by the broker's own protocol. */
export interface Probe {
  store(broker: Broker, value: string): Promise<void>
  /** What was stored, or undefined. */
  find(broker: Broker): Promise<string | undefined>
}

export const probes: Record<BrokerName, Probe> = {
  nats: natsProbe,
  redis: redisProbe,
}
