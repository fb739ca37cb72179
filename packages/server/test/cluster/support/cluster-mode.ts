import { type Broker, startProxy, type TcpProxy } from '@asbru/brokers'

/** One way to run relays over one broker. */
export interface ClusterMode {
  /** As a test names it: `NATS core`. */
  readonly name: string
  /** Whether the broker keeps a log, so that a client gets each message exactly once and in order. */
  readonly hasLog: boolean
  /** Whether its scenarios run in full length unless told otherwise. */
  readonly inFull?: boolean
  /** Whether relays reach each other without a broker, which then has no outage. */
  readonly isBrokerless?: boolean
  /** Starts the broker, with as many ways to it as there are replicas. */
  start(replicas: number): Promise<BrokerUnderTest>
}

/** A broker for all scenarios of a mode. */
export interface BrokerUnderTest {
  /** Undefined where relays need none. */
  readonly broker: Broker | undefined
  readonly publisher: PlainPublisher
  /** The ways of the replicas of a new cluster, whose internal listeners are at these ports. */
  doorsFor(apiPorts: readonly number[]): Promise<readonly Door[]>
  stop(): Promise<void>
}

/** The way of one replica to the broker, or to the others. */
export interface Door {
  readonly way: Pick<TcpProxy, 'cut' | 'resume'>
  /** What `asbru serve` is told of the driver. */
  readonly args: readonly string[]
}

/** A program that publishes with the broker's own client. */
export interface PlainPublisher {
  /** Resolves once the broker has the message; rejects if it may not have it. */
  publish(topic: string, payload: string): Promise<void>
  close(): Promise<void>
}

/** What a mode says of a broker that takes its clients on one port. */
export interface PlainBroker {
  readonly broker: Broker
  readonly replicas: number
  /** What `asbru serve` is told, for a broker behind that port. */
  readonly argsFor: (port: number) => readonly string[]
  readonly publisher: PlainPublisher
}

/** A broker with a proxy before it for each replica. */
export async function behindDoors({
  broker,
  replicas,
  argsFor,
  publisher,
}: PlainBroker): Promise<BrokerUnderTest> {
  const proxies = await Promise.all(Array.from({ length: replicas }, () => startProxy(broker)))
  const doors = proxies.map((proxy) => ({ way: proxy, args: argsFor(proxy.port) }))
  return {
    broker,
    publisher,
    doorsFor: async () => doors,
    async stop() {
      await publisher.close()
      for (const proxy of proxies) await proxy.stop()
      await broker.stop()
    },
  }
}
