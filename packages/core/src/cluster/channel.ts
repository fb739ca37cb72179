import type { Buffer } from 'node:buffer'
import type { ClientStoreHost } from '../clients/client-store.ts'
import type { ControlBody, ControlCodec, Sender } from './control-message.ts'
import type { Peers } from './peers.ts'
import { aged } from './record.ts'

/** Of what was sent to all, so much is kept to be sent again. */
const KEPT_MESSAGES = 2_000
const KEPT_BYTES = 8 * 1024 * 1024
/** How long others are told of a number that never reached the broker, in numbers. */
const LOST_FOR = 200

/** Messages that are told to all: they are numbered. */
type Numbered = Extract<ControlBody, { n: number }>
type WithoutNumber<Body> = Body extends unknown ? Omit<Body, 'n'> : never

/** What was told to all, and when, in derived time. */
interface Kept {
  readonly body: Numbered
  readonly length: number
  readonly at: number
}

/** Sends what this replica tells others, and numbers what it tells all of them. */
export class Channel {
  readonly self: Sender
  readonly #host: ClientStoreHost
  readonly #codec: ControlCodec
  readonly #peers: Peers
  /** By number, oldest first. */
  readonly #kept = new Map<number, Kept>()
  #keptBytes = 0
  readonly #lost = new Set<number>()
  #n = 0
  #told: Promise<void> = Promise.resolve()

  constructor(host: ClientStoreHost, codec: ControlCodec, peers: Peers) {
    this.#host = host
    this.#codec = codec
    this.#peers = peers
    const { replica: from, name, clock } = host
    this.self = { from, name, startedAt: Math.trunc(clock.wallTime()) }
  }

  /** The number of the last message to all. */
  get n(): number {
    return this.#n
  }

  /** Numbers that never reached the broker, as far as others may still wait for them. */
  get lost(): readonly number[] {
    for (const n of this.#lost) if (n < this.#n - LOST_FOR) this.#lost.delete(n)
    return [...this.#lost]
  }

  /** Tells all replicas, this one included, and returns the number of the message. */
  publish(body: WithoutNumber<Numbered>): number {
    const n = ++this.#n
    const numbered = { ...body, n }
    const bytes = this.#codec.encode({ ...numbered, ...this.self })
    this.#keep({ body: numbered, length: bytes.length, at: this.#peers.now })
    this.#told = this.#hand(bytes).catch(() => void this.#lost.add(n))
    return n
  }

  /** Tells one of them. What does not arrive is asked for again. */
  send(body: Exclude<ControlBody, Numbered>, to: string): void {
    this.#tell(this.#codec.encode({ ...body, ...this.self }, to), to)
  }

  /** Tells one of them again what was told to all; returns whether all of it is still here. */
  again(first: number, last: number, to: string): boolean {
    let isWhole = true
    for (let n = first; n <= Math.min(last, this.#n); n++) {
      const kept = this.#kept.get(n)
      if (kept === undefined) isWhole = false
      else this.#tell(this.#codec.encode({ ...this.#agedBody(kept), ...this.self }), to)
    }
    return isWhole
  }

  /** What was told until now is not told again. */
  forget(): void {
    this.#kept.clear()
    this.#keptBytes = 0
  }

  #tell(bytes: Buffer, to: string): void {
    this.#hand(bytes, to).catch((error: unknown) => {
      this.#host.logger.debug?.({ err: error, to }, 'could not tell another replica')
    })
  }

  /** Resolves once the broker has what was published last, or refused it. */
  told(): Promise<void> {
    return this.#told
  }

  /** Behind what is under way, since a broker in this process hands it over at once. */
  #hand(bytes: Buffer, to?: string): Promise<void> {
    return Promise.resolve().then(() => this.#host.tell(bytes, to))
  }

  /** Times in it are ages, and count on. */
  #agedBody({ body, at }: Kept): Numbered {
    if (body.kind !== 'record') return body
    return { ...body, fragment: aged(body.fragment, Math.round(this.#peers.now - at)) }
  }

  #keep(kept: Kept): void {
    this.#kept.set(kept.body.n, kept)
    this.#keptBytes += kept.length
    for (const [oldest, old] of this.#kept) {
      if (this.#kept.size <= KEPT_MESSAGES && this.#keptBytes <= KEPT_BYTES) return
      this.#kept.delete(oldest)
      this.#keptBytes -= old.length
    }
  }
}
