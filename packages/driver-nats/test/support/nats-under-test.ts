import { type Broker, startBroker, startProxy, type TcpProxy } from '@asbru/brokers'
import { natsDriver, type NatsDriverOptions } from '@asbru/driver-nats'
import type { Way } from '@asbru/trials'
import { connect as connectNewer } from '@nats-io/transport-node'
import { afterAll, onTestFinished } from 'vitest'
import { type PlainPublisher, plainPublisher } from './plain-publisher.ts'

/** A NATS for the tests of one file, and a proxy before it. */
export interface NatsUnderTest {
  readonly broker: Broker
  readonly proxy: TcpProxy
  /** How a driver connects: through the proxy. */
  readonly connection: { readonly servers: string }
  /** Of any other program: past the proxy. */
  readonly plain: PlainPublisher
}

/** Starts a NATS that ends with the tests of the file. */
export async function natsUnderTest(): Promise<NatsUnderTest> {
  const broker = await startBroker('nats')
  const proxy = await startProxy(broker)
  const plain = await plainPublisher(broker)
  afterAll(async () => {
    await plain.close()
    await proxy.stop()
    await broker.stop()
  })
  return { broker, proxy, connection: { servers: `127.0.0.1:${proxy.port}` }, plain }
}

/** What the trials need, for core subjects or a stream. */
export function natsWay(
  { broker, connection }: NatsUnderTest,
  name: string,
  options: NatsDriverOptions,
): Way {
  const isLog = options.jetstream !== undefined
  return {
    name: `nats ${name}`,
    driver: (at, more) =>
      natsDriver({
        connection: at === 'proxy' ? connection : { servers: broker.url },
        ...options,
        ...more,
      }),
    tellsGapOfOutage: !isLog,
    tellsGapOfCut: !isLog,
    keepsAll: isLog,
    absence: { name: 'NatsError', code: 'CONNECTION_REFUSED' },
    refusesWithinMs: 10_000,
  }
}

/** The same with a connection that the user made, of the successor of the client. */
export function newerNatsWay(nats: NatsUnderTest, name: string, options: NatsDriverOptions): Way {
  return {
    ...natsWay(nats, `${name} with @nats-io/transport-node`, options),
    async driver(at, more) {
      const servers = at === 'proxy' ? nats.connection.servers : nats.broker.url
      const client = await connectNewer({
        servers,
        maxReconnectAttempts: -1,
        reconnectTimeWait: 200,
      })
      onTestFinished(() => client.close())
      return natsDriver({ client, ...options, ...more })
    },
  }
}
