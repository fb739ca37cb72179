import type { Buffer } from 'node:buffer'

/**
 * Tells the copies of one message from the next message. Redis sends a copy for each subscription that
 * matches, one directly after the other, and changes subscriptions only between messages.
 */
export class Copies {
  #channel: Buffer | undefined
  #payload: Buffer | undefined
  readonly #came = new Set<string>()

  /** Whether this is the first copy of its message; `by` names the subscription that it came by. */
  isFirst(by: string, channel: Buffer, payload: Buffer): boolean {
    const another =
      this.#channel === undefined ||
      this.#came.has(by) ||
      !channel.equals(this.#channel) ||
      !payload.equals(this.#payload!)
    if (another) this.#came.clear()
    this.#came.add(by)
    this.#channel = channel
    this.#payload = payload
    return another
  }

  /** To be called in the place of the flow where Redis confirms a change: what follows is another message. */
  subscriptionsChanged(): void {
    this.#came.clear()
    this.#channel = undefined
    this.#payload = undefined
  }
}
