import assert from 'node:assert/strict'
import type { Streamer } from '../../src/index.ts'
import { ClientConnection } from './client-connection.ts'

/** A message of the flow: to a topic, or to one client. Its place in the flow is its number, from 1 on. */
export interface ModelMessage {
  readonly topic?: string
  readonly to?: string
}

interface Due {
  readonly number: number
  /** As a connection shows it. */
  readonly event: string
}

/**
 * A client of a Streamer beside what it should get: kept in step with it, and compared when it reads.
 * `matching` says of each subscription, by the order of precedence, which topics it delivers.
 */
export class ModelClient {
  readonly #streamer: Streamer
  readonly #flow: readonly ModelMessage[]
  readonly #matching: Readonly<Record<string, readonly string[]>>
  readonly #url: string
  readonly #id: string
  /** Each subscription with the number of the message after which it holds. */
  readonly #subscriptions = new Map<string, number>()
  #connection: ClientConnection | undefined
  /** What the connection should give next. */
  #due: Due[] = []
  /** The number of the last message before the cursor. */
  #position: number
  #cursor: string | undefined

  constructor(values: {
    streamer: Streamer
    flow: readonly ModelMessage[]
    matching: Readonly<Record<string, readonly string[]>>
    url: string
    id: string
  }) {
    this.#streamer = values.streamer
    this.#flow = values.flow
    this.#matching = values.matching
    this.#url = values.url
    this.#id = values.id
    this.#position = values.flow.length
  }

  /** The last message of the flow was published. */
  published(): void {
    if (this.#connection === undefined) return
    const event = this.#eventOf(this.#flow.length)
    if (event !== undefined) this.#due.push({ number: this.#flow.length, event })
  }

  async subscribe(topic: string): Promise<void> {
    if (!this.#subscriptions.has(topic)) this.#subscriptions.set(topic, this.#flow.length)
    await this.#streamer.subscribe(this.#id, topic)
  }

  async unsubscribe(topic: string): Promise<void> {
    this.#subscriptions.delete(topic)
    await this.#streamer.unsubscribe(this.#id, topic)
  }

  async connect(): Promise<void> {
    if (this.#connection !== undefined) return
    this.#due = this.#flow.flatMap((_, i) => {
      const event = i < this.#position ? undefined : this.#eventOf(i + 1)
      return event === undefined ? [] : [{ number: i + 1, event }]
    })
    this.#connection = await ClientConnection.open(this.#url, this.#cursor)
    if (this.#cursor !== undefined) assert.equal(this.#connection.cursor, this.#cursor)
    this.#cursor = this.#connection.cursor
  }

  /** Reads so many of the events that are due, or all, and cuts the connection behind them. */
  async cut(count: number): Promise<void> {
    if (this.#connection === undefined) return
    await this.#read(Math.min(count, this.#due.length))
    await this.#connection.leave(this.#streamer)
    this.#connection = undefined
  }

  /** Reads all that is due, and sees that nothing else comes. */
  async finish(): Promise<void> {
    await this.connect()
    await this.#streamer.send(this.#id, 'end')
    this.#due.push({ number: Number.MAX_SAFE_INTEGER, event: 'direct: end' })
    await this.cut(this.#due.length)
    await this.#streamer.removeClient(this.#id)
  }

  async #read(count: number): Promise<void> {
    const due = this.#due.slice(0, count)
    const read: string[] = []
    while (read.length < count) {
      const [event] = await this.#connection!.take(1)
      if (!event!.startsWith('{"subscriptions"')) read.push(event!)
    }
    assert.deepEqual(
      read,
      due.map(({ event }) => event),
    )
    if (count === 0) return
    this.#position = due.at(-1)!.number
    this.#cursor = this.#connection!.cursor
  }

  /** How the client sees a message, if it does. */
  #eventOf(number: number): string | undefined {
    const { topic, to } = this.#flow[number - 1]!
    if (to !== undefined) return to === this.#id ? `direct: ${number}` : undefined
    for (const [subscription, topics] of Object.entries(this.#matching)) {
      const since = this.#subscriptions.get(subscription) ?? number
      if (since < number && topics.includes(topic!)) return `${subscription}: ${number}`
    }
    return undefined
  }
}
