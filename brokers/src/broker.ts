import type { GcpPubsubOptions } from './recipes/gcp-pubsub.ts'
import type { KafkaOptions } from './recipes/kafka.ts'
import type { KubernetesOptions } from './recipes/kubernetes.ts'
import type { NatsOptions } from './recipes/nats.ts'
import type { RabbitmqOptions } from './recipes/rabbitmq.ts'
import type { RedisOptions } from './recipes/redis.ts'

/** What can be chosen for each broker; every field has a default. */
export interface BrokerOptions {
  nats: NatsOptions
  redis: RedisOptions
  rabbitmq: RabbitmqOptions
  kafka: KafkaOptions
  'gcp-pubsub': GcpPubsubOptions
}

/** The brokers that Asbru has a driver for. */
export type BrokerName = keyof BrokerOptions

/** Every broker name, in the order in which they are started and listed. */
export const brokerNames: readonly BrokerName[] = [
  'nats',
  'redis',
  'rabbitmq',
  'kafka',
  'gcp-pubsub',
]

/** All that `startBroker` starts: the brokers, and what tests need beside them. */
export interface StartOptions extends BrokerOptions {
  /** The API of Kubernetes, with no node. */
  kubernetes: KubernetesOptions
}

/** The name of something that `startBroker` starts. */
export type StartName = keyof StartOptions

/** A broker that runs for this process alone, with data of its own, on 127.0.0.1. */
export interface Broker<Name extends StartName = BrokerName> {
  readonly name: Name
  /** Of the broker's software, as it says itself where it can be asked: `7.0.15`. */
  readonly version: string
  /** What its client connects to; for Kafka and Pub/Sub `host:port`, which is their way. */
  readonly url: string
  readonly port: number
  /** Further ports by name, such as a cluster's nodes or a plugin's listener. */
  readonly ports: Readonly<Record<string, number>>
  /** Of the first process; another one after each `start`, except for the Pub/Sub fake. */
  readonly pid: number
  /** Its configuration, data and logs (`*.log`), until it is stopped. */
  readonly dir: string
  /** Ends the processes at once, as a crash does; port and data stay. */
  kill(how?: KillOptions): Promise<void>
  /** Starts again what `kill` ended, on the same port and data; resolves when clients are served. */
  start(): Promise<void>
  /** Ends everything and removes the data; idempotent. */
  stop(): Promise<void>
}

/** How `kill` ends a broker. */
export interface KillOptions {
  /**
   * SIGTERM lets the broker say goodbye to its clients and write its data.
   *
   * @default 'SIGKILL'
   */
  signal?: 'SIGKILL' | 'SIGTERM'
  /**
   * The process to end, by its name: `node-1` to `node-3` of a Redis cluster.
   *
   * @default all of them
   */
  only?: string
}
