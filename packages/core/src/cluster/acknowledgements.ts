import type { ClientStoreHost } from '../clients/client-store.ts'
import type { TopicPattern } from '../driver.ts'
import type { Channel } from './channel.ts'
import type { Says, Verdict } from './control-message.ts'
import type { Numbers } from './numbers.ts'
import type { Peers } from './peers.ts'
import type { Settings } from './settings.ts'

/** Acknowledgements of so many milliseconds leave together. */
const GATHER_MS = 4
/** A topic that the broker refuses is waited for in steps of so many milliseconds. */
const RETRY_MS = 500

/** What it stands on. */
export interface AcknowledgementsOptions {
  readonly host: ClientStoreHost
  readonly settings: Settings
  readonly peers: Peers
  readonly channel: Channel
  readonly numbers: ReadonlyMap<string, Numbers>
}

/** What this replica tells those whose changes it noted. */
export class Acknowledgements {
  readonly #options: AcknowledgementsOptions
  /** Whom to tell soon. */
  readonly #due = new Set<string>()
  /** Whom to tell once a topic is delivered. */
  readonly #held = new Set<string>()
  /** What was applied of each replica when a topic was noted that is not delivered yet. */
  readonly #undelivered = new Set<ReadonlyMap<string, number>>()
  readonly #verdicts = new Map<
    string,
    Map<number, { readonly verdict: Verdict; readonly at: number }>
  >()
  #isGathering = false

  constructor(options: AcknowledgementsOptions) {
    this.#options = options
  }

  /** Tells a replica soon how far its changes hold here. */
  tell(replica: string): void {
    this.#due.add(replica)
    this.#gather()
  }

  /** A change with that number did not take. */
  refuse(replica: string, n: number, verdict: Verdict): void {
    const verdicts = this.#verdicts.get(replica) ?? new Map()
    this.#verdicts.set(replica, verdicts)
    if (!verdicts.has(n)) verdicts.set(n, { verdict, at: this.#options.peers.mono })
  }

  /** Topics hold here only once the broker delivers them. */
  await(topics: readonly TopicPattern[]): void {
    const { numbers, host } = this.#options
    const applied = new Map([...numbers].map(([replica, { top }]) => [replica, top]))
    this.#undelivered.add(applied)
    const end = this.#options.peers.mono + this.#options.settings.changeTimeoutMs
    const settle = (): void => {
      this.#undelivered.delete(applied)
      for (const replica of this.#held) this.tell(replica)
      this.#held.clear()
    }
    const ask = (): void => {
      host.delivers(topics).then(settle, () => {
        // Those who wait for it have given up by then.
        if (this.#options.peers.mono > end) settle()
        else host.clock.after(RETRY_MS, ask)
      })
    }
    ask()
  }

  /** How far the changes of a replica hold here. */
  of(replica: string): number {
    let top = this.#options.numbers.get(replica)?.top ?? 0
    for (const before of this.#undelivered) top = Math.min(top, before.get(replica) ?? 0)
    return top
  }

  /** What is to be said to a replica, for as long as it may wait for it. */
  says(replica: string): Says {
    const { peers, settings } = this.#options
    const verdicts = this.#verdicts.get(replica)
    if (verdicts === undefined) return []
    for (const [n, { at }] of verdicts) {
      if (peers.mono - at > settings.changeTimeoutMs) verdicts.delete(n)
    }
    if (verdicts.size === 0) this.#verdicts.delete(replica)
    return [...verdicts].map(([n, { verdict }]) => [n, verdict])
  }

  /** Everything that is to be said to anybody. */
  get allSays(): readonly (readonly [string, Says])[] {
    return [...this.#verdicts.keys()].map((replica) => [replica, this.says(replica)])
  }

  #gather(): void {
    if (this.#isGathering) return
    this.#isGathering = true
    this.#options.host.clock.after(GATHER_MS, () => {
      this.#isGathering = false
      const { channel, numbers } = this.#options
      for (const replica of this.#due) {
        const top = this.of(replica)
        channel.send({ kind: 'ack', top, says: this.says(replica) }, replica)
        if (top < (numbers.get(replica)?.top ?? 0)) this.#held.add(replica)
      }
      this.#due.clear()
    })
  }
}
