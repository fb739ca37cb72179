import type { Channel, ConsumeMessage } from 'amqplib'

/** Acknowledges what was handed over, all of one turn of the event loop at once. */
export class Acks {
  readonly #channel: Channel
  readonly #onSent: () => void
  #last: ConsumeMessage | undefined

  constructor(channel: Channel, onSent: () => void = () => {}) {
    this.#channel = channel
    this.#onSent = onSent
  }

  /** Takes it and all before it for handed over. */
  add(message: ConsumeMessage): void {
    if (this.#last === undefined) setImmediate(() => this.#send())
    this.#last = message
  }

  #send(): void {
    const last = this.#last!
    this.#last = undefined
    try {
      this.#channel.ack(last, true)
    } catch {
      // The channel is lost, and the messages come again.
      return
    }
    this.#onSent()
  }
}
