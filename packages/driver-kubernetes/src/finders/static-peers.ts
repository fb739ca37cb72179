import { addressOf, type PeerFinder } from './peer-finder.ts'

/**
 * Peers at fixed addresses. They are seeds: a peer answers with those that it knows, so that one address that
 * always answers is enough.
 *
 * @throws {TypeError} if an address is not `host:port`
 */
export function staticPeers(addresses: readonly string[]): PeerFinder {
  const peers = addresses.map((address) => ({ address: peerAddressOf(address), ready: true }))
  return {
    complete: false,
    seeds: true,
    start: async (watcher) => watcher.found(peers),
    stop() {},
  }
}

/** Peers on other ports of this machine, for development. */
export function localhostPeers(...ports: readonly number[]): PeerFinder {
  return staticPeers(ports.map((port) => addressOf('127.0.0.1', port)))
}

/**
 * Returns an address as it appears in requests: `host:port`.
 * @throws {TypeError} if it is none
 */
export function peerAddressOf(address: string): string {
  const url = URL.parse(`http://${address}`)
  if (/^[^\s/?#@]+:\d{1,5}$/.test(address) && url !== null && url.port !== '0')
    return `${url.hostname}:${url.port || '80'}`
  throw new TypeError(`${JSON.stringify(address)} is not host:port.`)
}
