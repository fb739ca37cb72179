/**
 * Remembers what was handed over lately, so that it is known when RabbitMQ delivers it again: what a lost
 * connection had not acknowledged comes first on the next one, marked as redelivered.
 */
export class HandedOver {
  readonly #limit: number
  /** Prints, the newest last. */
  #prints: string[] = []
  /** How many of the newest the broker may not know the acknowledgement of. */
  #open = 0
  /** What may come again on this connection, and how many of each. */
  #before = new Map<string, number>()

  /** Needs to remember as many as the broker sends without an acknowledgement. */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** How many were added since the last of them that the broker knows. */
  get open(): number {
    return this.#open
  }

  /** Returns whether a message is a new one, and remembers it. */
  isNew(print: string, isRedelivered: boolean): boolean {
    // Those that come again come first.
    if (!isRedelivered && this.#before.size > 0) this.#before.clear()
    // Of several that are alike nobody knows which came: better twice than never.
    const isNew = this.#before.get(print) !== 1
    if (!isNew) {
      this.#before.delete(print)
      this.#prints.splice(this.#prints.lastIndexOf(print), 1)
    }
    this.#prints.push(print)
    this.#open++
    if (this.#prints.length > 2 * this.#limit) this.#prints = this.#prints.slice(-this.#limit)
    return isNew
  }

  /** The broker knows all acknowledgements but those of the newest. */
  confirm(open: number): void {
    this.#open = open
  }

  /** A connection follows another. A broker that was restarted may have forgotten acknowledgements. */
  begin(wasRestarted: boolean): void {
    const again = wasRestarted ? this.#prints : this.#prints.slice(this.#prints.length - this.#open)
    if (wasRestarted) this.#before.clear()
    for (const print of again) this.#before.set(print, (this.#before.get(print) ?? 0) + 1)
    this.#open = 0
  }
}
