import type { Channel, ConfirmChannel, RecoveringChannelModel } from 'amqplib'
import { within } from './patience.ts'

const NOT_FOUND = 404
const CLOSE_MS = 1_000

/** The channels that the driver has on one connection, until one of those that matter is lost. */
export class Channels {
  readonly #client: RecoveringChannelModel
  readonly #onBroken: (error: unknown) => void
  readonly #open = new Set<Channel>()
  #isOver = false

  constructor(client: RecoveringChannelModel, onBroken: (error: unknown) => void) {
    this.#client = client
    this.#onBroken = onBroken
  }

  /** Whether none of them is of use any more. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** Opens one whose loss is the loss of all. */
  async open(): Promise<Channel> {
    return this.#guarded(this.#keep(await this.#client.createChannel()))
  }

  /** Opens one to publish on, whose loss is the loss of all. */
  async openConfirm(): Promise<ConfirmChannel> {
    return this.#guarded(this.#keep(await this.#client.createConfirmChannel()))
  }

  /** Opens one that may be lost: RabbitMQ ends a channel with everything that it refuses. */
  async openExpendable(): Promise<Channel> {
    return this.#keep(await this.#client.createChannel())
  }

  /** Does something on a channel of its own. */
  async aside<Value>(use: (channel: Channel) => Promise<Value>): Promise<Value> {
    const channel = await this.openExpendable()
    try {
      return await use(channel)
    } finally {
      this.#open.delete(channel)
      void close(channel)
    }
  }

  /** Says that they are of no use any more. */
  break(error: unknown): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#onBroken(error)
  }

  /** Resolves once all are closed. */
  async close(): Promise<void> {
    this.#isOver = true
    await Promise.all([...this.#open].map(close))
  }

  #keep<Kept extends Channel>(channel: Kept): Kept {
    channel.on('error', () => {})
    if (this.#isOver) {
      void close(channel)
      throw new Error('The connection was lost.')
    }
    this.#open.add(channel)
    channel.on('close', () => this.#open.delete(channel))
    return channel
  }

  #guarded<Guarded extends Channel>(channel: Guarded): Guarded {
    let reason: unknown
    channel.on('error', (error: Error) => {
      reason = error
    })
    channel.on('close', () => this.break(reason ?? new Error('The channel was closed.')))
    return channel
  }
}

/** What the broker answered, or `undefined` if there is no such thing. */
export async function ifFound<Value>(answer: Promise<Value>): Promise<Value | undefined> {
  try {
    return await answer
  } catch (error) {
    if (codeOf(error) === NOT_FOUND) return undefined
    throw error
  }
}

/** The AMQP code with which the broker refused something, if that is what the error says. */
export function codeOf(error: unknown): number | undefined {
  const code = (error as { code?: unknown } | undefined)?.code
  return typeof code === 'number' ? code : undefined
}

/** A channel that is closed already says so; one whose connection is lost meanwhile says nothing. */
async function close(channel: Channel): Promise<void> {
  try {
    await within(channel.close(), CLOSE_MS)
  } catch {
    // Gone is gone.
  }
}
