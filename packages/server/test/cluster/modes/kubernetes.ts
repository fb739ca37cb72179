import { onTestFinished } from 'vitest'
import type { BrokerUnderTest, ClusterMode, Door, PlainPublisher } from '../support/cluster-mode.ts'
import { startPeerNetwork } from '../support/peer-network.ts'

/** No broker: the relays are each other's peers, and nothing is kept. */
export const peers: ClusterMode = {
  name: 'peers',
  hasLog: false,
  isBrokerless: true,
  start: async () => new Peers(),
}

/** All clusters that run, with a network for each. */
class Peers implements BrokerUnderTest {
  readonly broker = undefined
  readonly #publishers = new Set<ApiPublisher>()

  /** A message goes to every cluster, as over a broker. */
  readonly publisher: PlainPublisher = {
    publish: async (topic, payload) => {
      await Promise.all([...this.#publishers].map((each) => each.publish(topic, payload)))
    },
    close: async () => {},
  }

  async doorsFor(apiPorts: readonly number[]): Promise<readonly Door[]> {
    const network = await startPeerNetwork(apiPorts)
    const publisher = new ApiPublisher(apiPorts)
    this.#publishers.add(publisher)
    onTestFinished(async () => {
      this.#publishers.delete(publisher)
      await network.stop()
    })
    const seeds = network.addresses.join()
    return network.addresses.map((address, i) => ({
      way: { cut: () => network.cut(i), resume: () => network.resume(i) },
      args: [
        '--driver=kubernetes',
        '--driver.secret=of the cluster',
        `--driver.peers=${seeds}`,
        `--driver.address=${address}`,
      ],
    }))
  }

  async stop(): Promise<void> {}
}

/** Publishes by the HTTP API of one relay, so that the order holds, and of the next once that is gone. */
class ApiPublisher {
  readonly #ports: readonly number[]
  /** Where each topic is published. */
  readonly #turns = new Map<string, number>()

  constructor(ports: readonly number[]) {
    this.#ports = ports
  }

  async publish(topic: string, payload: string): Promise<void> {
    const turn = this.#turns.get(topic) ?? this.#turns.size
    this.#turns.set(topic, turn)
    const port = this.#ports[turn % this.#ports.length]!
    try {
      const url = `http://127.0.0.1:${port}/v1/topics/${topic}/messages`
      const answer = await fetch(url, { method: 'POST', body: payload })
      if (answer.status !== 202) throw new Error(`${url}: ${answer.status} ${await answer.text()}`)
      await answer.arrayBuffer()
    } catch (error) {
      this.#turns.set(topic, turn + 1)
      throw error
    }
  }
}
