/** Those who wait until the logs are read to where they ended at some time. */
export class CatchingUp {
  readonly #all = new Set<Waiter>()
  /** Counts what was read, and who began to wait for it. */
  #changes = 0
  /** The count at the last answer of each broker. */
  readonly #atAnswer = new Map<number, number>()
  /** Brokers that were asked since, and had nothing. */
  readonly #quiet = new Set<number>()

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

  /** A broker has answered, and what it had before is read. */
  answered(broker: number): void {
    if (this.#atAnswer.get(broker) === this.#changes) this.#quiet.add(broker)
    this.#atAnswer.set(broker, this.#changes)
    if (this.#quiet.size < this.#atAnswer.size) return
    for (const each of this.#all) this.#resolve(each)
  }

  /** Other brokers may be asked from now on. */
  restart(): void {
    this.#changed()
    this.#atAnswer.clear()
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
    this.#changes++
    this.#quiet.clear()
  }
}

interface Waiter {
  readonly holds: () => boolean
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}
