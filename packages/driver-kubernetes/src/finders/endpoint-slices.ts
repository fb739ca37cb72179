import { setTimeout as wait } from 'node:timers/promises'
import { KubeApi, KubeApiError, type KubeApiOptions, podNamespace } from '../kube-api.ts'
import { type PeerFinder, type PeerWatcher } from './peer-finder.ts'
import { type EndpointSlice, SliceSet } from './slice-set.ts'

/** Whose pods {@link endpointSlices} finds. */
export interface EndpointSlicesOptions {
  /** Name of the Service. */
  readonly service: string
  /** Its namespace in Kubernetes. @default the pod's own */
  readonly namespace?: string
  /** Port of the peers' internal listeners. */
  readonly port: number
  /** How to reach the API. @default as pods do */
  readonly api?: KubeApiOptions
  /**
   * A watch in which nothing comes for so many milliseconds is begun anew. The API sends a bookmark each minute.
   * @default 80_000
   */
  readonly silentMs?: number
}

const MIN_BACKOFF_MS = 100
const MAX_BACKOFF_MS = 3_000
/** However long the API wants to be left alone. */
const MAX_RETRY_AFTER_MS = 30_000
/** The API does not wait longer for a server to end a watch than this, and bookmarks come before. */
const WATCH_SECONDS = 290
/** What ends sooner is tried again ever later. */
const SHORT_MS = 1_000

/**
 * Peers by the EndpointSlices of a Service, which are listed and then watched. The service account needs `list`
 * and `watch` on `endpointslices` of `discovery.k8s.io` in the namespace.
 *
 * @example
 * const peers = endpointSlices({ service: 'asbru', port: 7070 })
 */
export function endpointSlices(options: EndpointSlicesOptions): PeerFinder {
  let finder: SliceWatch | undefined
  return {
    complete: true,
    seeds: false,
    async start(watcher) {
      finder = new SliceWatch(options, watcher)
      await finder.start()
    },
    stop: () => finder?.stop(),
  }
}

class SliceWatch {
  readonly #api: KubeApi
  readonly #watcher: PeerWatcher
  readonly #path: string
  readonly #silentMs: number
  readonly #slices: SliceSet
  readonly #stopped = new AbortController()
  /** Up to where the slices are known; undefined when they must be listed. */
  #version: string | undefined
  #failures = 0

  constructor(options: EndpointSlicesOptions, watcher: PeerWatcher) {
    const { service, namespace = podNamespace(), port, api = {}, silentMs = 80_000 } = options
    this.#api = new KubeApi(api)
    this.#watcher = watcher
    this.#silentMs = silentMs
    this.#slices = new SliceSet(port)
    const selector = encodeURIComponent(`kubernetes.io/service-name=${service}`)
    this.#path =
      `/apis/discovery.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/endpointslices` +
      `?labelSelector=${selector}`
  }

  async start(): Promise<void> {
    await this.#list()
    void this.#follow()
  }

  stop(): void {
    this.#stopped.abort()
  }

  /** Watches and lists for ever. Never rejects. */
  async #follow(): Promise<void> {
    while (!this.#isStopped) {
      const begun = performance.now()
      let retryAfterMs = 0
      try {
        if (this.#version === undefined) await this.#list()
        await this.#watch()
      } catch (error) {
        if (this.#isStopped) return
        // After a broken connection too: a watch from a version that this API has never had is silent.
        this.#version = undefined
        if (!isExpired(error)) this.#watcher.lost(error)
        if (error instanceof KubeApiError) retryAfterMs = error.retryAfterMs
      }
      if (performance.now() - begun > SHORT_MS) this.#failures = 0
      await this.#backOff(retryAfterMs)
    }
  }

  async #list(): Promise<void> {
    const slices: EndpointSlice[] = []
    let more = ''
    do {
      const path = `${this.#path}&limit=500${more && `&continue=${encodeURIComponent(more)}`}`
      const list = (await this.#api.get(path, this.#stopped.signal)) as List
      slices.push(...list.items)
      more = list.metadata.continue ?? ''
      this.#version = list.metadata.resourceVersion
    } while (more !== '')
    this.#slices.replace(slices)
    this.#tell()
  }

  /** Follows what changes, until the API ends the watch in order. */
  async #watch(): Promise<void> {
    const path =
      `${this.#path}&watch=1&allowWatchBookmarks=true&timeoutSeconds=${WATCH_SECONDS}` +
      `&resourceVersion=${this.#version}`
    const events = this.#api.lines(path, this.#stopped.signal, this.#silentMs)
    for await (const { type, object } of events as AsyncIterable<WatchEvent>) {
      if (this.#isStopped) return
      if (type === 'ERROR')
        throw new KubeApiError(object.message ?? 'The watch failed.', object.code!)
      this.#version = object.metadata.resourceVersion
      if (type === 'BOOKMARK') continue
      if (type === 'DELETED') this.#slices.delete(object)
      else this.#slices.set(object)
      this.#tell()
    }
  }

  #tell(): void {
    if (!this.#isStopped) this.#watcher.found(this.#slices.peers())
  }

  /** So long that however the API fails, it is asked about once a second. */
  async #backOff(atLeastMs: number): Promise<void> {
    const ms = Math.min(MAX_BACKOFF_MS, MIN_BACKOFF_MS * 2 ** this.#failures++)
    const jittered = Math.max(
      Math.min(atLeastMs, MAX_RETRY_AFTER_MS),
      ms * (0.5 + Math.random() / 2),
    )
    await wait(jittered, undefined, { signal: this.#stopped.signal }).catch(() => {})
  }

  get #isStopped(): boolean {
    return this.#stopped.signal.aborted
  }
}

interface List {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string }
  readonly items: readonly EndpointSlice[]
}

interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  readonly object: EndpointSlice & { readonly code?: number; readonly message?: string }
}

/** What changed since was forgotten by the API, which is its right. */
function isExpired(error: unknown): boolean {
  return error instanceof KubeApiError && error.code === 410
}
