import type { ClientStoreHost } from '../clients/client-store.ts'
import type { Channel } from './channel.ts'
import type { Peers } from './peers.ts'
import type { Settings } from './settings.ts'

/** So many questions are open at once, at most. */
const MAX_ASKS = 1_000
/** For how long it is remembered that nobody knows an id, in milliseconds, and of how many. */
const NEGATIVE_MS = 5_000
const MAX_NEGATIVES = 10_000

/** What the others said: that there is such a client, that there is none, or not enough to tell. */
export type Answer = 'yes' | 'no' | 'unsure'

/** What it stands on. */
export interface AsksOptions {
  readonly host: ClientStoreHost
  readonly settings: Settings
  readonly peers: Peers
  readonly channel: Channel
  /** Whether a client is known here by now. */
  readonly isKnown: (id: string) => boolean
  /** For how long it is known what clients there are, in milliseconds. */
  readonly sinceEmptyMs: () => number
}

/** Asks the other replicas for clients that this one does not know, each once for all who want to know. */
export class Asks {
  readonly #options: AsksOptions
  readonly #open = new Map<string, Ask>()
  readonly #negatives = new Map<string, number>()

  constructor(options: AsksOptions) {
    this.#options = options
  }

  /** Whether any fresh replica knows a client. */
  ask(id: string): Promise<Answer> {
    const { peers } = this.#options
    const said = this.#negatives.get(id)
    if (said !== undefined && peers.mono - said < NEGATIVE_MS) return Promise.resolve('no')
    const others = peers.fresh()
    if (others.length === 0) return Promise.resolve(this.#isUnsure(new Set()) ? 'unsure' : 'no')
    const open = this.#open.get(id)
    if (open !== undefined) return open.answered
    if (this.#open.size >= MAX_ASKS) return Promise.resolve('unsure')
    return this.#begin(id, others)
  }

  /** One of them answered; `isSure` says whether it knows all clients. */
  answer(id: string, from: string, isSure: boolean): void {
    const ask = this.#open.get(id)
    if (ask === undefined) return
    if (isSure) ask.denials.add(from)
    const { peers, isKnown } = this.#options
    if (isKnown(id) || peers.fresh().every((replica) => ask.denials.has(replica)))
      this.#end(id, ask)
  }

  /** There is a client of that id after all. */
  found(id: string): void {
    this.#negatives.delete(id)
  }

  #begin(id: string, others: readonly string[]): Promise<Answer> {
    const { host, settings, channel } = this.#options
    let resolve!: (answer: Answer) => void
    const answered = new Promise<Answer>((settle) => (resolve = settle))
    const ask: Ask = { denials: new Set(), answered, resolve }
    this.#open.set(id, ask)
    for (const replica of others) channel.send({ kind: 'ask', id }, replica)
    host.clock.after(settings.askMs, () => this.#end(id, ask))
    return answered
  }

  #end(id: string, ask: Ask): void {
    if (this.#open.get(id) !== ask) return
    this.#open.delete(id)
    const { peers, isKnown } = this.#options
    if (isKnown(id)) return ask.resolve('yes')
    if (this.#isUnsure(ask.denials)) return ask.resolve('unsure')
    if (this.#negatives.size >= MAX_NEGATIVES) this.#negatives.clear()
    this.#negatives.set(id, peers.mono)
    ask.resolve('no')
  }

  /** Whether there may be a client of which those know nothing. */
  #isUnsure(denials: ReadonlySet<string>): boolean {
    const { peers, host, sinceEmptyMs } = this.#options
    if (!peers.isInTouch || sinceEmptyMs() < host.clientTtlMs) return true
    // Also one that was heard again while others were asked.
    if (peers.fresh().some((replica) => !denials.has(replica))) return true
    return peers.hasLost(host.clientTtlMs)
  }
}

interface Ask {
  /** Who has said that there is none. */
  readonly denials: Set<string>
  readonly answered: Promise<Answer>
  readonly resolve: (answer: Answer) => void
}
