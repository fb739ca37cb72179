import { type Broker, startBroker, startProxy, type TcpProxy } from '@asbru/brokers'
import type { OutgoingMessage } from '@asbru/core'
import { gcpPubsubDriver } from '@asbru/driver-gcp-pubsub'
import type { Way } from '@asbru/trials'
import { type ClientConfig, PubSub } from '@google-cloud/pubsub'
import { afterAll } from 'vitest'

const projectId = 'test'

/** A Pub/Sub for the tests of one file, and a proxy before it. */
export interface PubsubUnderTest {
  readonly broker: Broker
  readonly proxy: TcpProxy
  /** How a driver connects: through the proxy. */
  readonly connection: ClientConfig
  /** Of any other program: past the proxy. */
  readonly plain: PubSub
  /** Publishes as a program does that knows nothing of Asbru but the names of its attributes. */
  readonly publishPlain: (message: OutgoingMessage) => Promise<void>
  /** The ids of all subscriptions that are there. */
  readonly subscriptions: () => Promise<string[]>
}

/** Starts a Pub/Sub that ends with the tests of the file. */
export async function pubsubUnderTest(): Promise<PubsubUnderTest> {
  const broker = await startBroker('gcp-pubsub')
  const proxy = await startProxy(broker)
  const plain = new PubSub({
    projectId,
    apiEndpoint: broker.url,
    'grpc.max_reconnect_backoff_ms': 100,
  } as ClientConfig)
  afterAll(async () => {
    await plain.close()
    await proxy.stop()
    await broker.stop()
  })
  return {
    broker,
    proxy,
    connection: { projectId, apiEndpoint: `127.0.0.1:${proxy.port}` },
    plain,
    async publishPlain({ topic, payload, event, id }) {
      const attributes = {
        'asbru-topic': topic,
        ...(event !== undefined && { 'asbru-event': event }),
        ...(id !== undefined && { 'asbru-id': id }),
      }
      await plain.topic('asbru').publishMessage({ data: Buffer.from(payload), attributes })
    },
    async subscriptions() {
      const [all] = await plain.getSubscriptions()
      return all.map(({ name }) => name.split('/').at(-1)!)
    },
  }
}

/** What the trials need. */
export function pubsubWay({ broker, connection }: PubsubUnderTest): Way {
  return {
    name: 'gcp-pubsub',
    driver: (at, options) =>
      gcpPubsubDriver({
        connection: at === 'proxy' ? connection : { ...connection, apiEndpoint: broker.url },
        ...options,
      }),
    tellsGapOfOutage: false,
    tellsGapOfCut: false,
    keepsAll: true,
    mayOverlookOutage: true,
    // The fake hands out the messages of a topic one by one.
    pauseMs: 20,
    burst: 10,
    absence: { code: 14 },
    refusesWithinMs: 10_000,
  }
}
