import { nextTick } from 'node:process'
import type { Link } from './link.ts'

/**
 * Waits until the server has taken what was published. All that is published together shares one round trip, since each
 * would cost the broker as much as a message.
 */
export class Acceptance {
  readonly #link: Link
  readonly #underWay = new Set<Batch>()
  #gathering: Batch | undefined

  constructor(link: Link) {
    this.#link = link
  }

  /** To be called right after the publish; throws if the server refused it, or cannot be asked. */
  async of(subject: string): Promise<void> {
    const batch = (this.#gathering ??= this.#gather())
    batch.subjects.add(subject)
    await batch.done
    const refusal = batch.refused.get(subject)
    if (refusal !== undefined) throw refusal
  }

  /** The server refused a message to that subject. */
  refuse(subject: string, error: Error): void {
    for (const { subjects, refused } of this.#underWay)
      if (subjects.has(subject)) refused.set(subject, error)
  }

  #gather(): Batch {
    const batch: Batch = { subjects: new Set(), refused: new Map(), done: this.#ask(() => batch) }
    this.#underWay.add(batch)
    return batch
  }

  async #ask(batch: () => Batch): Promise<void> {
    await settled()
    this.#gathering = undefined
    try {
      await this.#link.flush()
      // Refusals are told by an iterator of the client.
      await settled()
    } finally {
      this.#underWay.delete(batch())
    }
  }
}

interface Batch {
  readonly subjects: Set<string>
  readonly refused: Map<string, Error>
  readonly done: Promise<void>
}

/** Resolves once all promises that are settled now have told those who wait for them. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    nextTick(resolve)
  })
}
