import type { Buffer } from 'node:buffer'
import type { OutgoingMessage } from '@asbru/core'
import type { ConfirmChannel, Options } from 'amqplib'
import { bufferOf, propertiesOf } from './message.ts'
import { within } from './patience.ts'

/** How long the broker may take to confirm a message. */
const CONFIRM_MS = 5_000
/** How often late confirms are looked for. */
const CHECK_MS = 500
/** How long the end waits for what is under way. */
const FAREWELL_MS = 500

/** Publishes on one channel, and knows what the broker has. */
export class Publisher {
  readonly #channel: ConfirmChannel
  readonly #exchangeOf: (topic: string) => string
  /** In the order of their beginning. */
  readonly #unconfirmed = new Set<Unconfirmed>()
  readonly #checking: NodeJS.Timeout

  constructor(channel: ConfirmChannel, exchangeOf: (topic: string) => string) {
    this.#channel = channel
    this.#exchangeOf = exchangeOf
    this.#checking = setInterval(() => this.#giveUpLate(), CHECK_MS).unref()
    channel.on('close', () => clearInterval(this.#checking))
  }

  /** Resolves once the broker has the message in all queues that it belongs to. */
  publish(message: OutgoingMessage): Promise<void> {
    const { topic, payload } = message
    return this.#send(this.#exchangeOf(topic), topic, bufferOf(payload), propertiesOf(message))
  }

  /** Puts a message into one queue, past the exchange. */
  sendTo(queue: string, content: Buffer, properties: Options.Publish): Promise<void> {
    return this.#send('', queue, content, properties)
  }

  /** Resolves once all is confirmed, or after a moment. */
  async settle(): Promise<void> {
    await within(this.#channel.waitForConfirms(), FAREWELL_MS).catch(() => {})
  }

  #send(
    exchange: string,
    key: string,
    content: Buffer,
    properties: Options.Publish,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const each: Unconfirmed = { since: performance.now(), reject }
      this.#channel.publish(exchange, key, content, properties, (error: Error | null) => {
        this.#unconfirmed.delete(each)
        if (error === null) resolve()
        else reject(error)
      })
      this.#unconfirmed.add(each)
    })
  }

  #giveUpLate(): void {
    const now = performance.now()
    for (const each of this.#unconfirmed) {
      if (now - each.since < CONFIRM_MS) return
      this.#unconfirmed.delete(each)
      each.reject(new Error(`RabbitMQ did not confirm the message within ${CONFIRM_MS} ms.`))
    }
  }
}

interface Unconfirmed {
  readonly since: number
  readonly reject: (error: Error) => void
}
