import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import type { GapReason, OpenOptions } from '@asbru/core'
import type { Channel, ConsumeMessage, Options } from 'amqplib'
import { type Channels, ifFound } from './channels.ts'
import type { Publisher } from './publisher.ts'

/** How the queue of a replica is bounded. */
export interface QueueOptions {
  /** How many messages it holds for a replica that is cut off or slow; the oldest go first. @default 100_000 */
  maxLength?: number
  /** How long it waits for a replica that is cut off, in milliseconds. @default 60_000 */
  expiresMs?: number
}

/** What became of the queue while nobody looked. */
export interface QueueFate {
  /** Why messages may be missing from it, if they may. */
  readonly gap: GapReason | undefined
  /** Whether it was gone, and its bindings with it. */
  readonly isNew: boolean
  /** Whether the broker was started anew, and may have forgotten what was acknowledged. */
  readonly wasRestarted: boolean
}

/** The type of the message whose loss tells of others. */
const CANARY = 'asbru-canary'
const CANARY_AND_ONE_MORE = 2
/** Dropped messages are told no more often. */
const TELL_EVERY_MS = 1_000

/**
 * The queue of one replica, and a second one that tells what happens to it. The second one holds a single
 * message, a canary, which a restart of the broker loses as it loses all messages that are not persistent. What
 * the first one drops because it is full goes to the second one, and drives the canary out.
 */
export class ReplicaQueue {
  readonly name: string
  readonly #watch: string
  readonly #options: QueueOptions
  #isDeclared = false

  constructor({ namespace, replica }: OpenOptions, options: QueueOptions) {
    // A replica may be opened again while the queue of its last time is still there.
    this.name = `asbru.${namespace}.${replica}.${randomBytes(6).toString('hex')}`
    this.#watch = `${this.name}.dropped`
    this.#options = options
  }

  /** Finds it, or makes it. Throws while an earlier connection seems to be alive to the broker. */
  async restore(channels: Channels, publisher: Publisher): Promise<QueueFate> {
    const fate = await this.#fate(channels)
    if (fate.isNew) {
      await channels.aside(async (channel) => {
        await this.delete(channel)
        await channel.assertQueue(this.#watch, this.#argumentsOf(1))
        await channel.assertQueue(this.name, {
          ...this.#argumentsOf(this.#options.maxLength ?? 100_000),
          deadLetterExchange: '',
          deadLetterRoutingKey: this.#watch,
        })
      })
    }
    this.#isDeclared = true
    await publisher.sendTo(this.#watch, Buffer.alloc(0), { type: CANARY, persistent: false })
    return fate
  }

  /** Calls `onDropped` whenever messages were dropped. */
  async watch(channel: Channel, onDropped: () => void): Promise<void> {
    await channel.prefetch(CANARY_AND_ONE_MORE)
    const told = (message: ConsumeMessage | null): void => {
      // The canary stays: without an acknowledgement it goes back when the connection is lost.
      if (message === null || message.properties.type === CANARY) return
      onDropped()
      setTimeout(() => {
        try {
          channel.ack(message)
        } catch {
          // The channel is lost.
        }
      }, TELL_EVERY_MS).unref()
    }
    await channel.consume(this.#watch, told, { exclusive: true })
  }

  /** Takes it from the broker. */
  async delete(channel: Channel): Promise<void> {
    await channel.deleteQueue(this.name)
    await channel.deleteQueue(this.#watch)
  }

  async #fate(channels: Channels): Promise<QueueFate> {
    if (!this.#isDeclared) return { gap: undefined, isNew: true, wasRestarted: false }
    const gone: QueueFate = { gap: 'broker-reconnected', isNew: true, wasRestarted: false }
    for (const name of [this.name, this.#watch]) {
      const queue = await ifFound(channels.aside((channel) => channel.checkQueue(name)))
      if (queue === undefined) return gone
      // What was delivered to it comes before what is still in the queue.
      if (queue.consumerCount > 0) throw new Error(`The queue ${name} has another consumer still.`)
    }
    const types = await channels.aside((channel) => this.#drain(channel))
    const wasRestarted = types.length === 0
    const hasDropped = types.some((type) => type !== CANARY)
    const gap = wasRestarted ? 'broker-reconnected' : hasDropped ? 'messages-dropped' : undefined
    return { gap, isNew: false, wasRestarted }
  }

  /** The types of all messages in the second queue. */
  async #drain(channel: Channel): Promise<unknown[]> {
    const types: unknown[] = []
    for (;;) {
      const message = await channel.get(this.#watch, { noAck: true })
      if (message === false) return types
      types.push(message.properties.type)
    }
  }

  #argumentsOf(maxLength: number): Options.AssertQueue {
    const { expiresMs = 60_000 } = this.#options
    return { durable: true, expires: expiresMs, maxLength, overflow: 'drop-head' }
  }
}
