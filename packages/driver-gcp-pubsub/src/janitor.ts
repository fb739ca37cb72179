import { createHash } from 'node:crypto'

/** The label whose value changes as long as a replica lives. */
const ALIVE = 'asbru-alive'
const NAMESPACE = 'asbru-namespace'

/** How often a replica changes its label, in milliseconds. */
export const BEAT_MS = 60_000
/** How long a janitor waits between two looks, in milliseconds. */
export const SWEEP_MS = 150_000
/** So many looks in a row without a change: over ten minutes. */
export const SILENT_SWEEPS = 5

/** A subscription as a janitor sees it. */
export interface LabelledSubscription {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
}

/** What a {@link Janitor} works with. */
export interface JanitorOptions {
  readonly namespace: string
  /** All subscriptions of the project. */
  readonly list: () => Promise<readonly LabelledSubscription[]>
  readonly remove: (name: string) => Promise<void>
}

/** The labels of a subscription whose replica is alive now. */
export function janitorLabels(namespace: string): Record<string, string> {
  return { [NAMESPACE]: labelOf(namespace), [ALIVE]: String(Date.now()) }
}

/**
 * Removes the subscriptions of its namespace whose replicas are gone. It counts how often it found a label
 * unchanged, and compares no clocks: those of two machines may differ, and a machine that was suspended
 * has not waited.
 */
export class Janitor {
  readonly #options: JanitorOptions
  #seen = new Map<string, Sighting>()

  constructor(options: JanitorOptions) {
    this.#options = options
  }

  /** To be called with {@link SWEEP_MS} or more between. */
  async sweep(): Promise<void> {
    const { namespace, list, remove } = this.#options
    const seen = new Map<string, Sighting>()
    for (const { name, labels } of await list()) {
      const alive = labels[ALIVE]
      if (labels[NAMESPACE] !== labelOf(namespace) || alive === undefined) continue
      const before = this.#seen.get(name)
      const unchanged = before?.alive === alive ? before.unchanged + 1 : 0
      seen.set(name, { alive, unchanged })
    }
    this.#seen = seen
    for (const [name, { unchanged }] of seen) if (unchanged >= SILENT_SWEEPS) await remove(name)
  }
}

interface Sighting {
  readonly alive: string
  /** How often in a row it was found with the label that it had before. */
  readonly unchanged: number
}

/** Labels have lower case only, and at most 63 characters. */
function labelOf(namespace: string): string {
  if (/^[a-z0-9_-]{1,63}$/.test(namespace)) return namespace
  return `sha-${createHash('sha256').update(namespace).digest('hex').slice(0, 40)}`
}
