import type { DriverStatus, OutgoingMessage, Receiver, TopicPattern } from '@asbru/core'
import { IllegalOperationError } from 'amqplib'
import { Channels, codeOf, ifFound } from './channels.ts'
import type { Flow, Ground } from './flow.ts'
import { Link, type RabbitmqSource } from './link.ts'
import { pause, RETRY_MS, within } from './patience.ts'
import { Publisher } from './publisher.ts'

/** What a {@link Session} is opened with. */
export interface SessionOptions {
  readonly source: RabbitmqSource
  readonly exchange: string
  /** To which exchange messages of a topic go. */
  readonly exchangeOf: (topic: string) => string
  readonly create: boolean
  /** 0 waits for ever. */
  readonly startTimeoutMs: number
  readonly makeFlow: (receiver: Receiver) => Flow
  /** Breaks the opening off. */
  readonly signal: AbortSignal
}

/** How long a broker that may be out of reach is waited for at the end. */
const FAREWELL_MS = 1_000
/** How long one attempt may take; a broker that is busy with its start may leave a question unanswered. */
const ATTEMPT_MS = 30_000
/** Not allowed, not there, not as it should be: none of these gets better by itself while a driver starts. */
const LASTING = new Set([403, 404, 406, 530])

/** A driver from the first connection to its close: sees to it that messages flow again after every break. */
export class Session {
  readonly #options: SessionOptions
  readonly #receiver: Receiver
  readonly #link: Link
  readonly #flow: Flow
  readonly #end = new AbortController()
  #told: DriverStatus['type'] | undefined
  /** What everything is done on while all is well. */
  #ground: Ground | undefined
  #channels: Channels | undefined
  #isStarted = false
  /** Counts the attempts, so that one ends when another begins. */
  #attempts = 0

  private constructor(link: Link, receiver: Receiver, options: SessionOptions) {
    this.#options = options
    this.#link = link
    this.#receiver = receiver
    this.#flow = options.makeFlow({
      message: (message) => !this.#end.signal.aborted && receiver.message(message),
      status: (status) => !this.#end.signal.aborted && receiver.status(status),
    })
  }

  /** Resolves once messages flow; throws what is in the way after `startTimeoutMs`. */
  static async open(receiver: Receiver, options: SessionOptions): Promise<Session> {
    const { source, startTimeoutMs: timeoutMs, signal } = options
    const begin = performance.now()
    const link = await Link.open(source, timeoutMs, signal)
    const session = new Session(link, receiver, options)
    const isLate = (): boolean => timeoutMs > 0 && performance.now() + RETRY_MS - begin >= timeoutMs
    try {
      await session.#start(isLate)
      return session
    } catch (error) {
      session.#attempts++
      session.#end.abort()
      await session.#leave()
      await link.close()
      throw error
    }
  }

  async subscribe(topic: TopicPattern): Promise<void> {
    this.#mustFlow()
    await this.#flow.subscribe(topic)
  }

  /** Always succeeds: nothing is handed over any more. */
  async unsubscribe(topic: TopicPattern): Promise<void> {
    await this.#flow.unsubscribe(topic)
  }

  async publish(message: OutgoingMessage): Promise<void> {
    const { publisher } = this.#mustFlow()
    const { blocked } = this.#link
    if (blocked !== undefined)
      throw new IllegalOperationError(`RabbitMQ takes no messages: ${blocked}`)
    await publisher.publish(message)
  }

  async catchUp(): Promise<void> {
    await this.#flow.catchUp!(this.#mustFlow())
  }

  /** Hands over nothing from its call on. */
  async close(): Promise<void> {
    this.#attempts++
    this.#end.abort()
    const ground = this.#ground
    this.#ground = undefined
    if (ground !== undefined) {
      // The end of the queue ends its consumer, which is no loss now.
      this.#channels = undefined
      await ground.publisher.settle()
      await within(this.#flow.stop(ground), FAREWELL_MS).catch(() => {})
      await ground.channels.close()
    }
    await this.#leave()
    await this.#link.close()
  }

  async #start(isLate: () => boolean): Promise<void> {
    const { signal } = this.#options
    this.#link.listen({
      lost: (error) => this.#lost(error),
      back: () => void this.#restore(),
    })
    for (;;) {
      try {
        const ground = await within(this.#setUp(), ATTEMPT_MS, signal)
        await within(this.#flow.begun?.() ?? Promise.resolve(), 0, signal)
        this.#ground = ground
        this.#isStarted = true
        this.#tell({ type: 'connected' })
        return
      } catch (error) {
        await this.#leave()
        const isLasting = LASTING.has(codeOf(error) ?? 0)
        if (signal.aborted || isLasting || isLate()) throw error
      }
      await pause(RETRY_MS, signal)
    }
  }

  /** The connection is gone, or a channel that nothing goes without. */
  #lost(error: unknown): void {
    this.#attempts++
    this.#ground = undefined
    this.#flow.lost?.()
    void this.#leave()
    if (this.#isStarted) this.#tell({ type: 'reconnecting', error })
  }

  async #restore(delayMs = 0): Promise<void> {
    if (!this.#isStarted) return
    const { signal } = this.#end
    const attempt = ++this.#attempts
    const isOver = (): boolean => signal.aborted || attempt !== this.#attempts
    for (let waitMs = delayMs; !isOver(); waitMs = RETRY_MS) {
      if (waitMs > 0) await pause(waitMs, signal)
      if (isOver()) return
      try {
        const ground = await within(this.#setUp(), ATTEMPT_MS, signal)
        if (isOver()) return
        this.#ground = ground
        this.#tell({ type: 'connected' })
        return
      } catch (error) {
        if (isOver()) return
        this.#tell({ type: 'reconnecting', error })
      }
    }
  }

  async #setUp(): Promise<Ground> {
    await this.#leave()
    const channels: Channels = new Channels(this.#link.client, (error) => {
      if (channels !== this.#channels) return
      this.#lost(error)
      if (this.#link.online) void this.#restore(RETRY_MS)
    })
    this.#channels = channels
    const isExchangeNew = await this.#findExchange(channels)
    const publisher = new Publisher(await channels.openConfirm(), this.#options.exchangeOf)
    const ground = { channels, publisher, isExchangeNew }
    await this.#flow.restore(ground)
    if (channels.isOver) throw new IllegalOperationError('The connection was lost again.')
    return ground
  }

  /** Returns whether it had to be made. One that is there is used as it is. */
  async #findExchange(channels: Channels): Promise<boolean> {
    const { exchange, create } = this.#options
    const check = channels.aside((channel) => channel.checkExchange(exchange))
    if (!create) await check
    if ((await ifFound(check)) !== undefined) return false
    await channels.aside((channel) => channel.assertExchange(exchange, 'topic', { durable: true }))
    return true
  }

  async #leave(): Promise<void> {
    const channels = this.#channels
    this.#channels = undefined
    await channels?.close()
  }

  #mustFlow(): Ground {
    if (this.#ground === undefined) throw new IllegalOperationError('RabbitMQ is out of reach.')
    return this.#ground
  }

  #tell(status: DriverStatus): void {
    if (status.type === this.#told || this.#end.signal.aborted) return
    this.#told = status.type
    this.#receiver.status(status)
  }
}
