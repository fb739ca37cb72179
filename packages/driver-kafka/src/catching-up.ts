/** The first may have been asked for before, what the second brings is read with the third. */
const QUIET_ANSWERS = 3

/** Those who wait until the logs are read to where they ended at some time. */
export class CatchingUp {
  readonly #all = new Set<Waiter>()
  /** By broker, how many answers it gave since something was read, or somebody began to wait. */
  readonly #answers = new Map<number, number>()

  /**
   * Resolves once it holds, or once no broker has more to read: a log may end with what is never shown, such as
   * the ends of transactions. Rejects if it is given up before.
   */
  until(holds: () => boolean): Promise<void> {
    if (holds()) return Promise.resolve()
    this.#changed()
    return new Promise((resolve, reject) => this.#all.add({ holds, resolve, reject }))
  }

  /** Something was read. */
  read(): void {
    this.#changed()
    for (const each of this.#all) if (each.holds()) this.#resolve(each)
  }

  /** A broker has answered; what it had in its answer before is read. */
  answered(broker: number): void {
    this.#answers.set(broker, (this.#answers.get(broker) ?? 0) + 1)
    if (this.#all.size === 0) return
    for (const count of this.#answers.values()) if (count < QUIET_ANSWERS) return
    for (const each of this.#all) this.#resolve(each)
  }

  /** Other brokers may be asked from now on. */
  restart(): void {
    this.#answers.clear()
  }

  giveUp(error: Error): void {
    for (const each of this.#all) each.reject(error)
    this.#all.clear()
  }

  #resolve(waiter: Waiter): void {
    this.#all.delete(waiter)
    waiter.resolve()
  }

  #changed(): void {
    for (const broker of this.#answers.keys()) this.#answers.set(broker, 0)
  }
}

interface Waiter {
  readonly holds: () => boolean
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}
