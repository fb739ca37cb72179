import { Resolver } from 'node:dns/promises'
import { addressOf, type PeerFinder } from './peer-finder.ts'

/** Where {@link dnsPeers} looks. */
export interface DnsPeersOptions {
  /** A name with an address for each pod, such as that of a headless Service. */
  readonly name: string
  /** Port of the peers' internal listeners. */
  readonly port: number
  /** How often the name is asked for, in milliseconds. @default 2_000 */
  readonly intervalMs?: number
  /** Name servers to ask, as `node:dns` takes them. @default the system's */
  readonly servers?: readonly string[]
}

/** What name servers say of a name without addresses of one family. */
const NO_ADDRESSES = new Set(['ENODATA', 'ENOTFOUND'])

/**
 * Peers by the addresses of a name; needs no rights in the cluster. While the name has none, or cannot be
 * asked for, the last addresses hold.
 */
export function dnsPeers({ name, port, intervalMs = 2_000, servers }: DnsPeersOptions): PeerFinder {
  const resolver = new Resolver({ timeout: 1_000, tries: 2 })
  if (servers !== undefined) resolver.setServers(servers)
  let timer: NodeJS.Timeout | undefined
  let stopped = false

  return {
    complete: false,
    seeds: false,

    async start(watcher) {
      const look = async (): Promise<void> => {
        const hosts = await lookUp()
        if (!stopped)
          watcher.found(hosts.map((host) => ({ address: addressOf(host, port), ready: true })))
      }
      const lookAgain = async (): Promise<void> => {
        try {
          await look()
        } catch (error) {
          if (!stopped) watcher.lost(error)
        }
        lookOn()
      }
      const lookOn = (): void => {
        if (!stopped) timer = setTimeout(() => void lookAgain(), intervalMs)
      }
      try {
        await look()
      } catch (error) {
        // The first of all pods starts before the name has an address.
        if (!hasNoAddresses(error)) throw error
        watcher.found([])
      }
      lookOn()
    },

    stop() {
      stopped = true
      clearTimeout(timer)
      resolver.cancel()
    },
  }

  /** Rejects if there is no address of either family. */
  async function lookUp(): Promise<string[]> {
    const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)])
    const hosts = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
    const failures = answers.flatMap((answer) =>
      answer.status === 'rejected' ? [answer.reason as Error] : [],
    )
    const failure = failures.find((error) => !hasNoAddresses(error)) ?? failures[0]
    if (hosts.length === 0 && failure !== undefined) throw failure
    return hosts.toSorted()
  }
}

function hasNoAddresses(error: unknown): boolean {
  return NO_ADDRESSES.has((error as NodeJS.ErrnoException).code ?? '')
}
