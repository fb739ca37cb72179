interface Waiting {
  readonly number: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Publishes that wait until another replica has their message, in the order of their numbers. */
export class Acceptance {
  #waiting: Waiting[] = []

  of(number: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ number, resolve, reject })
    })
  }

  /** Another replica has all up to that number. */
  accept(upTo: number): void {
    let count = 0
    while (count < this.#waiting.length && this.#waiting[count]!.number <= upTo)
      this.#waiting[count++]!.resolve()
    this.#waiting.splice(0, count)
  }

  refuse(error: unknown): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error)
  }
}
