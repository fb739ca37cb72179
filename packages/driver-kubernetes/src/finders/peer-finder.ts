/** An address where a peer may be. */
export interface FoundPeer {
  /** `host:port` of its internal listener; IPv6 in brackets. */
  readonly address: string
  /** Whether messages go there before it was heard. One that is not ready is greeted, and posted to once it answers. */
  readonly ready: boolean
}

/** Who is told what a finder finds. Neither method throws or blocks. */
export interface PeerWatcher {
  /** All that there are now, this replica included or not. Also says that the finder works again. */
  found(peers: readonly FoundPeer[]): void
  /** The finder cannot look at the moment; what it found last holds. It goes on trying. */
  lost(error: unknown): void
}

/** Finds the replicas of a deployment. */
export interface PeerFinder {
  /** Whether an address that was listed and is not any more is gone. Else it is kept while it is heard. */
  readonly complete: boolean
  /** Whether peers may know of others that it does not list. */
  readonly seeds: boolean
  /** Resolves once it has told `watcher` for the first time. May be called again after it rejected. */
  start(watcher: PeerWatcher): Promise<void>
  /** Idempotent; tells nothing from then on. */
  stop(): void
}

/** `host:port` of a host that may be an IPv6 address. */
export function addressOf(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
