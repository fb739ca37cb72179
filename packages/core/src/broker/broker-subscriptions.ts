import type { Clock } from '../clock.ts'
import type { Driver, TopicPattern } from '../driver.ts'
import { StreamerError } from '../errors.ts'
import type { Logger } from '../logger.ts'

const FIRST_RETRY_MS = 1_000
const MAX_RETRY_MS = 30_000

/** What it needs, and whom it tells. */
export interface BrokerSubscriptionsOptions {
  readonly driver: Driver
  readonly clock: Clock
  readonly logger: Logger
  /** How long a topic that nobody wants any more is kept. */
  readonly lingerMs: number
  /** The driver is asked for a topic; not when it is asked again for one that it lost or refused. */
  readonly onAsked: (topic: TopicPattern) => void
  /** Messages of the topic arrive from now on; `again` if it was lost or refused before. */
  readonly onEstablished: (topic: TopicPattern, again: boolean) => void
  readonly onReleased: (topic: TopicPattern) => void
}

/**
 * One subscription at the driver for each topic, however many want it. It outlives the last of them by
 * a short while, so that a page reload does not reach the broker.
 */
export class BrokerSubscriptions {
  readonly #options: BrokerSubscriptionsOptions
  readonly #topics = new Map<TopicPattern, Held>()
  #closed = false

  constructor(options: BrokerSubscriptionsOptions) {
    this.#options = options
  }

  /** How many topics and patterns are subscribed to at the broker. */
  get size(): number {
    return this.#topics.size
  }

  /**
   * Resolves, once all messages published to the topics will arrive, with a function that lets go.
   * @throws {StreamerError} `SUBSCRIPTION_FAILURE`, holding none of them
   */
  async hold(topics: readonly TopicPattern[]): Promise<() => void> {
    for (const topic of topics) this.#count(topic)
    const release = (): void => topics.forEach((topic) => this.release(topic))
    try {
      await Promise.all(topics.map((topic) => this.#established(topic)))
    } catch (error) {
      release()
      throw error
    }
    return release
  }

  /** Wants a topic once more; one that cannot be had now is asked for again. */
  retain(topic: TopicPattern): void {
    const held = this.#count(topic)
    if (held.ready === undefined && held.cancelRetry === undefined) this.#try(topic, held)
  }

  /** Resolves once every topic that is wanted now is established, or was refused. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#topics.values()].flatMap(({ ready }) => ready ?? []))
  }

  /** Wants it once less. */
  release(topic: TopicPattern): void {
    const held = this.#topics.get(topic)
    if (held === undefined || --held.wanted > 0 || this.#closed) return
    held.cancelLinger = this.#options.clock.after(this.#options.lingerMs, () =>
      this.#leave(topic, held),
    )
  }

  /** The driver lost a topic: it is asked for again, ever more slowly, as long as somebody wants it. */
  lost(topic: TopicPattern): void {
    const held = this.#topics.get(topic)
    if (held === undefined || held.ready === undefined) return
    held.ready = undefined
    held.failures = 0
    this.#retryLater(topic, held)
  }

  /** Stops all timers; the driver's own `close` takes care of the rest. */
  close(): void {
    this.#closed = true
    for (const held of this.#topics.values()) {
      held.cancelLinger?.()
      held.cancelRetry?.()
    }
    this.#topics.clear()
  }

  #count(topic: TopicPattern): Held {
    let held = this.#topics.get(topic)
    if (held === undefined) {
      held = newHeld()
      this.#topics.set(topic, held)
      return held
    }
    held.wanted++
    held.cancelLinger?.()
    held.cancelLinger = undefined
    return held
  }

  async #established(topic: TopicPattern): Promise<void> {
    const held = this.#topics.get(topic)!
    const ready = (held.ready ??= this.#subscribe(topic, held))
    try {
      await ready
    } catch (cause) {
      if (held.ready === ready) held.ready = undefined
      throw new StreamerError(
        'SUBSCRIPTION_FAILURE',
        `The driver ${this.#options.driver.name} could not subscribe to ${JSON.stringify(topic)}; try again.`,
        { driver: this.#options.driver.name, cause },
      )
    }
  }

  async #subscribe(topic: TopicPattern, held: Held): Promise<void> {
    if (held.failures === undefined) this.#options.onAsked(topic)
    await held.leaving
    await this.#options.driver.subscribe(topic)
    if (this.#closed || held.leaving !== undefined) return
    this.#options.onEstablished(topic, held.failures !== undefined)
    held.failures = undefined
  }

  #leave(topic: TopicPattern, held: Held): void {
    held.cancelLinger = undefined
    held.cancelRetry?.()
    held.cancelRetry = undefined
    const { ready } = held
    held.ready = undefined
    held.failures = undefined
    this.#options.onReleased(topic)
    if (ready === undefined) {
      this.#topics.delete(topic)
      return
    }
    held.leaving = this.#unsubscribe(topic, ready).finally(() => {
      held.leaving = undefined
      if (held.wanted <= 0 && held.ready === undefined) this.#topics.delete(topic)
    })
  }

  async #unsubscribe(topic: TopicPattern, ready: Promise<void>): Promise<void> {
    const { driver, logger } = this.#options
    try {
      await ready
      await driver.unsubscribe(topic)
    } catch (error) {
      logger.warn({ err: error, topic }, 'could not unsubscribe at the broker')
    }
  }

  #retryLater(topic: TopicPattern, held: Held): void {
    const delay = Math.min(FIRST_RETRY_MS * 2 ** (held.failures ?? 0), MAX_RETRY_MS)
    held.cancelRetry = this.#options.clock.after(delay, () => {
      held.cancelRetry = undefined
      this.#try(topic, held)
    })
  }

  #try(topic: TopicPattern, held: Held): void {
    this.#established(topic).catch((error: unknown) => {
      this.#options.logger.warn({ err: error, topic }, 'a topic could not be subscribed to')
      if (this.#closed || held.wanted <= 0) return
      held.failures = (held.failures ?? -1) + 1
      this.#retryLater(topic, held)
    })
  }
}

interface Held {
  wanted: number
  /** Settles with the driver's answer; `undefined` while it was not asked, or said no. */
  ready: Promise<void> | undefined
  /** An unsubscribe under way: a new subscribe waits for it. */
  leaving: Promise<void> | undefined
  /** How often it failed since it was lost; `undefined` for a topic that never was. */
  failures: number | undefined
  cancelLinger: (() => void) | undefined
  cancelRetry: (() => void) | undefined
}

function newHeld(): Held {
  return {
    wanted: 1,
    ready: undefined,
    leaving: undefined,
    failures: undefined,
    cancelLinger: undefined,
    cancelRetry: undefined,
  }
}
