import { ErrorCode, NatsError } from 'nats'

/** Answers that are waited for, and given up together when none can come any more. */
export class Waiting {
  readonly #giveUps = new Set<(error: Error) => void>()

  /** Settles as the promise does, unless it is given up before, or takes longer than so many milliseconds. */
  async of<Answer>(promise: Promise<Answer>, timeoutMs?: number): Promise<Answer> {
    let giveUp!: (error: Error) => void
    const givenUp = new Promise<never>((_, reject) => {
      giveUp = reject
    })
    const timer =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => giveUp(NatsError.errorForCode(ErrorCode.Timeout)), timeoutMs)
    this.#giveUps.add(giveUp)
    try {
      return await Promise.race([promise, givenUp])
    } finally {
      clearTimeout(timer)
      this.#giveUps.delete(giveUp)
    }
  }

  giveUp(error: Error): void {
    for (const giveUp of this.#giveUps) giveUp(error)
  }
}
