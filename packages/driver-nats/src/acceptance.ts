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

  /** To be called right after the publish; rejects if the server refused it, or cannot be asked. */
  of(subject: string): Promise<void> {
    const batch = (this.#gathering ??= this.#gather())
    let answer = batch.answers.get(subject)
    if (answer === undefined) {
      answer = answerOf(batch, subject)
      batch.answers.set(subject, answer)
    }
    return answer
  }

  /** The server refused a message to that subject. */
  refuse(subject: string, error: Error): void {
    for (const { answers, refused } of this.#underWay)
      if (answers.has(subject)) refused.set(subject, error)
  }

  #gather(): Batch {
    const batch: Batch = { answers: new Map(), refused: new Map(), done: this.#ask(() => batch) }
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
  /** What the publishes to each subject are answered with, all of them alike. */
  readonly answers: Map<string, Promise<void>>
  readonly refused: Map<string, Error>
  readonly done: Promise<void>
}

async function answerOf({ done, refused }: Batch, subject: string): Promise<void> {
  await done
  const refusal = refused.get(subject)
  if (refusal !== undefined) throw refusal
}

/** Resolves once all promises that are settled now have told those who wait for them. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    nextTick(resolve)
  })
}
