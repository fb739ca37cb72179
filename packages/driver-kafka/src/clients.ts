import kafkajs, { type Kafka, type KafkaConfig, type RetryOptions } from 'kafkajs'
import { Sockets } from './sockets.ts'

/** Where the connections come from: options of their own, or a client that exists. */
export type KafkaSource =
  | {
      /**
       * Options of kafkajs. What is tried again, and how often, is up to the driver.
       *
       * @default { brokers: ['127.0.0.1:9092'] }
       */
      connection?: Partial<KafkaConfig>
    }
  | {
      /** A client; its options are taken as they are, and it gives the driver connections of its own. */
      client: Kafka
    }

/** What one opened driver speaks through. */
export interface Clients {
  /** Tries again for ever: a reader that never gives up its place goes on at once after an outage. */
  readonly reading: Kafka
  /** Gives up soon: its callers wait. */
  readonly writing: Kafka
  /** Takes connections for dead: all, or those to one broker (`host:port`). */
  drop(broker?: string): void
  /** Ends all connections and attempts to connect. */
  close(): void
}

const own = { connectionTimeout: 2_000, requestTimeout: 10_000, clientId: 'asbru' }

/** Makes the two clients of a driver: kafkajs takes retries of connections from the client alone. */
export function clientsOf(source: KafkaSource): Clients {
  if ('client' in source) {
    const { client } = source
    return { reading: client, writing: client, drop() {}, close() {} }
  }
  const { connection = {} } = source
  const { brokers = ['127.0.0.1:9092'] } = connection
  const sockets = new Sockets(connection.socketFactory)
  let isClosed = false
  const client = (retry: RetryOptions): Kafka =>
    new kafkajs.Kafka({
      logLevel: kafkajs.logLevel.NOTHING,
      ...own,
      ...connection,
      // An empty list is the one thing that ends endless attempts to connect.
      brokers: () => (isClosed ? [] : typeof brokers === 'function' ? brokers() : brokers),
      socketFactory: sockets.factory,
      retry: { initialRetryTime: 100, maxRetryTime: 500, ...retry },
    })
  return {
    reading: client({ retries: 1_000_000 }),
    writing: client({ retries: 4 }),
    drop: (broker) => sockets.drop(broker),
    close() {
      isClosed = true
      sockets.close()
    },
  }
}
