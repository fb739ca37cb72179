import { onTestFinished } from 'vitest'
import type { BrokerUnderTest, ClusterMode, Door, PlainPublisher } from '../support/cluster-mode.ts'
import { startPeerNetwork } from '../support/peer-network.ts'
import { until } from '../support/until.ts'

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

/**
 * Publishes each topic by the HTTP API of one relay, for there is no order between what two relays post, and waits
 * while that relay is away.
 */
class ApiPublisher {
  readonly #ports: readonly number[]
  readonly #topics = new Map<string, number>()

  constructor(ports: readonly number[]) {
    this.#ports = ports
  }

  async publish(topic: string, payload: string): Promise<void> {
    const index = this.#topics.get(topic) ?? this.#topics.size
    this.#topics.set(topic, index)
    const port = this.#ports[index % this.#ports.length]!
    const url = `http://127.0.0.1:${port}/v1/topics/${topic}/messages`
    let answer: Response | undefined
    await until(`${url} is served`, 60_000, async () => {
      answer = await fetch(url, { method: 'POST', body: payload }).catch(unlessRefused)
      return answer !== undefined
    })
    const { status } = answer!
    const text = await answer!.text()
    if (status !== 202) throw new Error(`${url}: ${status} ${text}`)
  }
}

/** Whoever refused the connection has nothing of the message. */
function unlessRefused(error: Error): undefined {
  if ((error.cause as NodeJS.ErrnoException).code !== 'ECONNREFUSED') throw error
}
