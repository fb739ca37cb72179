import { randomUUID } from 'node:crypto'
import {
  type IncomingMessage,
  type OutgoingMessage,
  type Receiver,
  type TopicPattern,
  TopicSet,
} from '@asbru/core'
import { ErrorCode, NatsError } from 'nats'
import { Acceptance } from './acceptance.ts'
import type { Flow } from './flow.ts'
import type { Link } from './link.ts'
import { headersOf, incoming } from './message.ts'
import type { NatsMessage, NatsSubscription } from './nats-client.ts'
import { subjectsOf, topicOf } from './subjects.ts'

/** What a {@link CoreFlow} works with. */
export interface CoreFlowOptions {
  readonly link: Link
  readonly receiver: Receiver
  readonly prefix: string
  /** Whether to tell a gap after a break, and to hold back what comes before it is told. */
  readonly tellsGaps: boolean
}

/**
 * Topics as subjects of NATS, without a log.
 *
 * The server would deliver a copy by every subscription that matches, and nothing in two copies says that
 * they are one message. So all subscriptions of this replica are in one queue group, which nobody else is
 * in: the server picks one of them for each message, also while they come and go. The group is a new
 * one after every break: the server may not have noticed yet that the connection before is dead, and
 * would go on picking its subscriptions.
 */
export class CoreFlow implements Flow {
  readonly #options: CoreFlowOptions
  readonly #acceptance: Acceptance
  readonly #held = new Map<TopicPattern, Held>()
  readonly #wanted = new TopicSet()
  #group = newGroup()
  #heldBack: IncomingMessage[] | undefined

  constructor(options: CoreFlowOptions) {
    this.#options = options
    this.#acceptance = new Acceptance(options.link)
  }

  async start(): Promise<void> {}

  subscribe(topic: TopicPattern): Promise<void> {
    let held = this.#held.get(topic)
    if (held === undefined) {
      held = { topic, subscriptions: [], established: undefined, holds: false }
      this.#held.set(topic, held)
      this.#wanted.add(topic)
      held.established = this.#establish(held)
    }
    return held.established!
  }

  async unsubscribe(topic: TopicPattern): Promise<void> {
    const held = this.#held.get(topic)
    if (held === undefined) return
    this.#forget(held)
    const { link } = this.#options
    if (!link.online) {
      end(held)
      return
    }
    // One that was picked for a message may be asked to end before the message arrives.
    for (const subscription of held.subscriptions) subscription.drain().catch(() => {})
    await link.flush().catch(() => end(held))
  }

  publish(message: OutgoingMessage): Promise<void> {
    const { link, prefix } = this.#options
    link.mustBeOnline()
    const subject = prefix + message.topic
    link.client.publish(subject, message.payload, headersOf(message))
    return this.#acceptance.of(subject)
  }

  refused(subject: string, error: Error): void {
    this.#acceptance.refuse(subject, error)
  }

  lost(): void {
    this.#group = newGroup()
    if (this.#options.tellsGaps) this.#heldBack ??= []
    for (const held of this.#held.values()) end(held)
  }

  async restore(): Promise<void> {
    const { link, receiver, tellsGaps } = this.#options
    const group = this.#group
    const all = [...this.#held.values()]
    for (const held of all) {
      end(held)
      this.#begin(held)
    }
    await link.flush()
    if (group !== this.#group) throw NatsError.errorForCode(ErrorCode.Disconnect)
    if (tellsGaps && all.length > 0) receiver.status({ type: 'gap', reason: 'broker-reconnected' })
    const heldBack = this.#heldBack ?? []
    this.#heldBack = undefined
    for (const message of heldBack)
      if (this.#wanted.delivers(message.topic)) receiver.message(message)
  }

  async stop(): Promise<void> {
    this.#wanted.clear()
    this.#heldBack = undefined
    for (const held of this.#held.values()) end(held)
    this.#held.clear()
    // So that what is under way is taken, or refused, before the connection ends.
    if (this.#options.link.online) await this.#options.link.flush().catch(() => {})
  }

  async #establish(held: Held): Promise<void> {
    const { link } = this.#options
    try {
      link.mustBeOnline()
      this.#begin(held)
      await link.flush()
      if (held.refusal !== undefined) throw held.refusal
      held.holds = true
    } catch (error) {
      this.#forget(held)
      end(held)
      throw error
    }
  }

  #begin(held: Held): void {
    const { link, prefix } = this.#options
    held.subscriptions = subjectsOf(prefix, held.topic).map((subject) =>
      link.client.subscribe(subject, {
        queue: this.#group,
        callback: (error, message) => {
          if (error === null) this.#receive(message)
          else this.#fail(held, error)
        },
      }),
    )
  }

  #receive(message: NatsMessage): void {
    const topic = topicOf(this.#options.prefix, message.subject)
    // One subscription is picked for all that match: also one that is ending, or `**` for a reserved topic.
    if (topic === undefined || !this.#wanted.delivers(topic)) return
    const taken = incoming(topic, message)
    if (this.#heldBack === undefined) this.#options.receiver.message(taken)
    else this.#heldBack.push(taken)
  }

  #fail(held: Held, error: Error): void {
    held.refusal = error
    if (!held.holds || this.#held.get(held.topic) !== held) return
    this.#forget(held)
    end(held)
    this.#options.receiver.status({ type: 'topicFailed', topic: held.topic, error })
  }

  #forget(held: Held): void {
    if (this.#held.get(held.topic) !== held) return
    this.#held.delete(held.topic)
    this.#wanted.delete(held.topic)
  }
}

interface Held {
  readonly topic: TopicPattern
  subscriptions: NatsSubscription[]
  /** Settles with the server's answer to the first subscribe. */
  established: Promise<void> | undefined
  /** Whether that was yes. */
  holds: boolean
  /** Why the server does not deliver it. */
  refusal?: Error
}

function end(held: Held): void {
  for (const subscription of held.subscriptions) subscription.unsubscribe()
  held.subscriptions = []
}

function newGroup(): string {
  return `asbru-${randomUUID()}`
}
