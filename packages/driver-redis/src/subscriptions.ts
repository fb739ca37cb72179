import { type TopicPattern, TopicSet } from '@asbru/core'
import { type Redis, ReplyError } from 'ioredis'
import { type Channel, channelsOf } from './channels.ts'
import { type ChangeName, sendChange } from './send-change.ts'

/** What subscriptions tell, in the place of the flow where Redis says it. */
export interface SubscriptionsEvents {
  /** Redis has confirmed a subscription, or the end of one. */
  confirmed(): void
  /** Redis refuses a subscription that it had accepted on an earlier connection. */
  refused(topic: TopicPattern, error: unknown): void
}

/** The topics and patterns that are wanted, and the channels on one connection that carry them. */
export class Subscriptions {
  readonly #prefix: string
  readonly #events: SubscriptionsEvents
  readonly #wanted = new Map<TopicPattern, Wanted>()
  readonly #topics = new TopicSet()
  readonly #joined = new Map<string, Joined>()

  constructor(prefix: string, events: SubscriptionsEvents) {
    this.#prefix = prefix
    this.#events = events
  }

  get isEmpty(): boolean {
    return this.#wanted.size === 0
  }

  /** Whether a message of `topic` is to be handed over. */
  delivers(topic: string): boolean {
    return this.#topics.delivers(topic)
  }

  /** Resolves once Redis delivers `topic` on this connection. */
  async add(topic: TopicPattern, redis: Redis): Promise<void> {
    const before = this.#wanted.get(topic)
    if (before !== undefined) {
      await before.ready
      return
    }
    const channels = channelsOf(topic, this.#prefix)
    const ready = Promise.all(channels.map((channel) => this.#join(channel, redis)))
    const wanted = { channels, ready }
    this.#wanted.set(topic, wanted)
    this.#topics.add(topic)
    try {
      await ready
    } catch (error) {
      if (this.#wanted.get(topic) === wanted) await this.delete(topic, redis)
      throw error
    }
  }

  /** Resolves once nothing more comes by `topic` alone; also without a connection, which then has none. */
  async delete(topic: TopicPattern, redis: Redis): Promise<void> {
    const wanted = this.#wanted.get(topic)
    if (wanted === undefined) return
    this.#wanted.delete(topic)
    this.#topics.delete(topic)
    const left = wanted.channels.filter((channel) => {
      const key = keyOf(channel)
      const joined = this.#joined.get(key)!
      if (--joined.users > 0) return false
      return this.#joined.delete(key)
    })
    await Promise.allSettled(left.map(({ kind, name }) => this.#send(redis, endOf(kind), name)))
  }

  /**
   * Asks for everything again on a new connection; `done` is called in the place of the flow from which
   * on all of it is delivered, or never if this connection is lost as well.
   */
  restore(redis: Redis, done: () => void): void {
    const all = [...this.#joined.values()]
    let left = all.length
    if (left === 0) return done()
    for (const joined of all) {
      const { kind, name } = joined.channel
      joined.ready = this.#send(redis, kind, name, (error) => {
        if (error !== undefined) {
          if (!(error instanceof ReplyError)) return
          this.#refuse(joined.channel, error, redis)
        }
        if (--left === 0) done()
      })
      joined.ready.catch(() => {})
    }
  }

  #join(channel: Channel, redis: Redis): Promise<void> {
    const key = keyOf(channel)
    let joined = this.#joined.get(key)
    if (joined === undefined) {
      joined = { channel, users: 0, ready: this.#send(redis, channel.kind, channel.name) }
      this.#joined.set(key, joined)
    }
    joined.users++
    return joined.ready
  }

  #refuse(channel: Channel, error: Error, redis: Redis): void {
    for (const [topic, { channels }] of this.#wanted) {
      if (!channels.some((each) => keyOf(each) === keyOf(channel))) continue
      void this.delete(topic, redis)
      this.#events.refused(topic, error)
    }
  }

  #send(
    redis: Redis,
    name: ChangeName,
    channel: string,
    answered: (error?: Error) => void = () => {},
  ): Promise<void> {
    return sendChange(redis, name, channel, (error) => {
      if (error === undefined) this.#events.confirmed()
      answered(error)
    })
  }
}

interface Wanted {
  readonly channels: readonly Channel[]
  readonly ready: Promise<unknown>
}

interface Joined {
  readonly channel: Channel
  /** How many of the wanted topics it carries. */
  users: number
  /** Settles with Redis's answer on the newest connection. */
  ready: Promise<void>
}

function keyOf({ kind, name }: Channel): string {
  return `${kind} ${name}`
}

function endOf(kind: Channel['kind']): ChangeName {
  return kind === 'subscribe' ? 'unsubscribe' : 'punsubscribe'
}
