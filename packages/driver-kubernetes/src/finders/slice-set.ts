import { addressOf, type FoundPeer } from './peer-finder.ts'

/** As much of an EndpointSlice as is read. */
export interface EndpointSlice {
  readonly metadata: { readonly name: string; readonly resourceVersion: string }
  readonly addressType: string
  readonly endpoints?: readonly Endpoint[] | null
}

interface Endpoint {
  readonly addresses: readonly string[]
  readonly conditions?: {
    readonly ready?: boolean | null
    readonly serving?: boolean | null
    readonly terminating?: boolean | null
  }
}

/** The slices of one Service, as one list of peers. */
export class SliceSet {
  readonly #port: number
  readonly #slices = new Map<string, EndpointSlice>()

  constructor(port: number) {
    this.#port = port
  }

  replace(slices: readonly EndpointSlice[]): void {
    this.#slices.clear()
    for (const slice of slices) this.set(slice)
  }

  set(slice: EndpointSlice): void {
    this.#slices.set(slice.metadata.name, slice)
  }

  delete(slice: EndpointSlice): void {
    this.#slices.delete(slice.metadata.name)
  }

  /** Every address once: a pod moves from slice to slice, and is in both for a moment. */
  peers(): FoundPeer[] {
    const ready = new Map<string, boolean>()
    for (const { addressType, endpoints } of this.#slices.values()) {
      if (addressType !== 'IPv4' && addressType !== 'IPv6') continue
      for (const endpoint of endpoints ?? []) {
        // All addresses of an endpoint are the same pod's, and clients take the first.
        const address = addressOf(endpoint.addresses[0]!, this.#port)
        ready.set(address, ready.get(address) === true || isReady(endpoint))
      }
    }
    return [...ready].map(([address, isOne]) => ({ address, ready: isOne }))
  }
}

/** Absent means yes, by the API's rules. A pod that ends while it still serves is not ready, but has readers. */
function isReady({ conditions = {} }: Endpoint): boolean {
  const { ready, serving, terminating } = conditions
  return (ready ?? true) || (terminating === true && serving === true)
}
