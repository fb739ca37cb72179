import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { DriverStatus, OutgoingMessage } from '@asbru/core'
import {
  type FoundPeer,
  type KubernetesDriver,
  kubernetesDriver,
  type KubernetesDriverOptions,
  type PeerFinder,
  type PeerRequestAccess,
  type PeerWatcher,
} from '@asbru/driver-kubernetes'
import { onTestFinished, vi } from 'vitest'

/** An open driver on a listener of its own, and what it handed over. */
export interface Replica {
  readonly driver: KubernetesDriver
  readonly address: string
  readonly texts: string[]
  readonly statuses: DriverStatus[]
  publish(text: string): Promise<void>
}

/** Opens a driver that is subscribed to `news`; it is closed when the test is over. */
export async function replica(
  options: Omit<KubernetesDriverOptions, 'address'>,
  access?: PeerRequestAccess,
): Promise<Replica> {
  const server = createServer((request, response) => {
    void driver.handler(request, response, access)
  })
  const address = await listening(server)
  const driver = kubernetesDriver({ ...options, address })
  const texts: string[] = []
  const statuses: DriverStatus[] = []
  onTestFinished(() => driver.close())
  await driver.open(
    {
      message: ({ payload }) => void texts.push(new TextDecoder().decode(payload)),
      status: (status) => void statuses.push(status),
    },
    { replica: 'r', namespace: 'test' },
  )
  await driver.subscribe('news')
  return {
    driver,
    address,
    texts,
    statuses,
    publish: (text) => driver.publish(news(text)),
  }
}

function news(text: string): OutgoingMessage {
  return { topic: 'news', payload: new TextEncoder().encode(text) }
}

/** Listens on a port, or a free one, until the test is over, and says where. */
export async function listening(server: Server, port = 0): Promise<string> {
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A finder that finds what it is told. */
export class ToldFinder implements PeerFinder {
  readonly complete = true
  readonly seeds = false
  #peers: readonly FoundPeer[]
  #watcher: PeerWatcher | undefined

  constructor(...peers: FoundPeer[]) {
    this.#peers = peers
  }

  async start(watcher: PeerWatcher): Promise<void> {
    this.#watcher = watcher
    watcher.found(this.#peers)
  }

  find(...peers: FoundPeer[]): void {
    this.#peers = peers
    this.#watcher?.found(peers)
  }

  stop(): void {}
}

/** Waits until `holds` does not throw. */
export function until(holds: () => void | Promise<void>): Promise<void> {
  return vi.waitFor(holds, { timeout: 10_000, interval: 10 })
}
