export { endpointSlices, type EndpointSlicesOptions } from './finders/endpoint-slices.ts'
export { dnsPeers, type DnsPeersOptions } from './finders/dns-peers.ts'
export {
  addressOf,
  type FoundPeer,
  type PeerFinder,
  type PeerWatcher,
} from './finders/peer-finder.ts'
export { localhostPeers, staticPeers } from './finders/static-peers.ts'
export type { KubeApiOptions } from './kube-api.ts'
export type { PeerHandler, PeerRequestAccess } from './handler.ts'
export {
  kubernetesDriver,
  type KubernetesDriver,
  type KubernetesDriverOptions,
} from './kubernetes-driver.ts'
export { SEND_PATH } from './postman.ts'
