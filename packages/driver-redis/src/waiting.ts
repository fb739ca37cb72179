/** Those who wait until something holds, which is looked at whenever it may. */
export class Waiting {
  readonly #all = new Set<Waiter>()

  /** Resolves once it holds; rejects if that is given up before. */
  until(holds: () => boolean): Promise<void> {
    if (holds()) return Promise.resolve()
    return new Promise((resolve, reject) => this.#all.add({ holds, resolve, reject }))
  }

  look(): void {
    for (const each of this.#all) {
      if (!each.holds()) continue
      this.#all.delete(each)
      each.resolve()
    }
  }

  giveUp(error: Error): void {
    for (const each of this.#all) each.reject(error)
    this.#all.clear()
  }
}

interface Waiter {
  readonly holds: () => boolean
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}
