import type { Channel, ConsumeMessage } from 'amqplib'

/** The broker sends more with each acknowledgement: many small ones make it send little at a time. */
const ENOUGH = 100
/** How long the last few may wait. */
const PAUSE_MS = 5

/** Acknowledges what was handed over, many messages at once. */
export class Acks {
  readonly #channel: Channel
  readonly #onSent: () => void
  #last: ConsumeMessage | undefined
  #count = 0
  #timer: NodeJS.Timeout | undefined

  constructor(channel: Channel, onSent: () => void = () => {}) {
    this.#channel = channel
    this.#onSent = onSent
  }

  /** Takes it and all before it for handed over. */
  add(message: ConsumeMessage): void {
    this.#last = message
    if (++this.#count >= ENOUGH) this.#send()
    else this.#timer ??= setTimeout(() => this.#send(), PAUSE_MS)
  }

  #send(): void {
    const last = this.#last
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#last = undefined
    this.#count = 0
    if (last === undefined) return
    try {
      this.#channel.ack(last, true)
    } catch {
      // The channel is lost, and the messages come again.
      return
    }
    this.#onSent()
  }
}
