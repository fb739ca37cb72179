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
  /** Whether it cannot be told that there is no such client, though those know of none. */
  readonly isUnsure: (denials: ReadonlySet<string>) => boolean
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
    const { peers, isUnsure } = this.#options
    const said = this.#negatives.get(id)
    if (said !== undefined && peers.mono - said < NEGATIVE_MS) return Promise.resolve('no')
    const others = peers.fresh()
    if (others.length === 0) return Promise.resolve(isUnsure(new Set()) ? 'unsure' : 'no')
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
    const { peers, isKnown, isUnsure } = this.#options
    if (isKnown(id)) return ask.resolve('yes')
    if (isUnsure(ask.denials)) return ask.resolve('unsure')
    if (this.#negatives.size >= MAX_NEGATIVES) this.#negatives.clear()
    this.#negatives.set(id, peers.mono)
    ask.resolve('no')
  }
}

interface Ask {
  /** Who has said that there is none. */
  readonly denials: Set<string>
  readonly answered: Promise<Answer>
  readonly resolve: (answer: Answer) => void
}
