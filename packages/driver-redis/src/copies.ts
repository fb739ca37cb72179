import type { Buffer } from 'node:buffer'

/**
 * Tells the copies of one message from the next message. Redis sends a copy for each subscription that
 * matches, one directly after the other, and changes subscriptions only between messages.
 */
export class Copies {
  #channel: Buffer | undefined
  #payload: Buffer | undefined
  /** By which subscription the first copy came, and by which the others. */
  #first: string | undefined
  readonly #others = new Set<string>()

  /** Whether this is the first copy of its message; `by` names the subscription that it came by. */
  isFirst(by: string, channel: Buffer, payload: Buffer): boolean {
    if (this.#isAnother(by, channel, payload)) {
      this.#first = by
      this.#channel = channel
      this.#payload = payload
      if (this.#others.size > 0) this.#others.clear()
      return true
    }
    this.#others.add(by)
    return false
  }

  /** To be called in the place of the flow where Redis confirms a change: what follows is another message. */
  subscriptionsChanged(): void {
    this.#channel = undefined
    this.#payload = undefined
  }

  #isAnother(by: string, channel: Buffer, payload: Buffer): boolean {
    if (this.#channel === undefined || by === this.#first || this.#others.has(by)) return true
    return !channel.equals(this.#channel) || !payload.equals(this.#payload!)
  }
}
