import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Driver, OutgoingMessage } from '@asbru/core'
import {
  type KubernetesDriver,
  kubernetesDriver,
  type PeerFinder,
  type PeerWatcher,
  SEND_PATH,
} from '@asbru/driver-kubernetes'

/** A driver with a listener of its own. */
interface Replica {
  readonly driver: KubernetesDriver
  readonly address: string
  namespace: string | undefined
  watcher: PeerWatcher | undefined
  readonly cut: () => void
  end(): Promise<void>
}

/** Replicas of this process that find each other by namespace, and can be cut off from each other. */
export class Cells {
  readonly #replicas = new Set<Replica>()
  /** One in each namespace beside those of the test, so that nobody is alone. */
  readonly #companions = new Map<string, Replica>()
  #isBroken = false

  /** A driver that opens among those of its namespace. */
  async create(): Promise<{ driver: Driver; dispose(): Promise<void> }> {
    const replica = await this.#replica()
    const driver: Driver = {
      ...replica.driver,
      open: async (receiver, options) => {
        await this.#companion(options.namespace)
        replica.namespace = options.namespace
        await replica.driver.open(receiver, options)
      },
    }
    return {
      driver,
      dispose: async () => {
        await replica.end()
        if (replica.namespace !== undefined) await this.#leave(replica.namespace)
      },
    }
  }

  /** Posts as the ancestor does: the same to every replica. */
  async publishPlain({ topic, payload, event, id }: OutgoingMessage): Promise<void> {
    const body = JSON.stringify({
      stream: topic,
      msg: new TextDecoder().decode(payload),
      event,
      id,
    })
    const headers = { 'content-type': 'application/json' }
    for (const { address } of this.#replicas)
      await fetch(`http://${address}${SEND_PATH}`, { method: 'POST', headers, body }).catch(
        () => {},
      )
  }

  break(): void {
    this.#isBroken = true
    for (const { watcher, cut } of this.#replicas) {
      watcher?.lost(new Error('The list of peers cannot be read.'))
      cut()
    }
  }

  restore(): void {
    this.#isBroken = false
    for (const { namespace } of this.#replicas) if (namespace !== undefined) this.#tell(namespace)
  }

  async #replica(): Promise<Replica> {
    const sockets = new Set<Socket>()
    const server = createServer((request, response) => {
      void driver.handler(request, response)
    })
    server.on('connection', (socket) => {
      if (this.#isBroken) socket.destroy()
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`
    const cut = (): void => {
      for (const socket of sockets) socket.destroy()
    }
    const driver = kubernetesDriver({
      peers: this.#finder(() => replica),
      address,
      startTimeoutMs: 300,
      greetTimeoutMs: 2_000,
    })
    const replica: Replica = {
      driver,
      address,
      namespace: undefined,
      watcher: undefined,
      cut,
      end: async () => {
        this.#replicas.delete(replica)
        server.close()
        cut()
      },
    }
    this.#replicas.add(replica)
    return replica
  }

  #finder(replica: () => Replica): PeerFinder {
    return {
      complete: true,
      seeds: false,
      start: async (watcher) => {
        if (this.#isBroken) throw new Error('The list of peers cannot be read.')
        replica().watcher = watcher
        this.#tell(replica().namespace!)
      },
      stop: () => {
        replica().watcher = undefined
        if (replica().namespace !== undefined) this.#tell(replica().namespace!)
      },
    }
  }

  #tell(namespace: string): void {
    if (this.#isBroken) return
    const members = [...this.#replicas].filter(
      (each) => each.namespace === namespace && each.watcher !== undefined,
    )
    const peers = members.map(({ address }) => ({ address, ready: true }))
    for (const { watcher } of members) watcher!.found(peers)
  }

  async #companion(namespace: string): Promise<void> {
    if (this.#companions.has(namespace)) return
    const companion = await this.#replica()
    companion.namespace = namespace
    this.#companions.set(namespace, companion)
    await companion.driver
      .open({ message() {}, status() {} }, { replica: 'companion', namespace })
      .catch(async (error: unknown) => {
        this.#companions.delete(namespace)
        await companion.end()
        throw error
      })
  }

  async #leave(namespace: string): Promise<void> {
    const companion = this.#companions.get(namespace)
    const others = [...this.#replicas].filter((each) => each.namespace === namespace)
    if (companion === undefined || others.length > 1) return
    this.#companions.delete(namespace)
    await companion.driver.close()
    await companion.end()
  }
}
