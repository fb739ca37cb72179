import { CONTROL_PREFIX, type OutgoingMessage, type Receiver, type TopicPattern } from '@asbru/core'
import { ErrorCode, NatsError } from 'nats'
import { CoreFlow } from './core-flow.ts'
import type { Flow } from './flow.ts'
import { JetStreamApi } from './jetstream-api.ts'
import type { Link } from './link.ts'
import { headersOf } from './message.ts'
import { type JetStreamOptions, Stream } from './stream.ts'
import { StreamReader } from './stream-reader.ts'

/** What a {@link StreamFlow} works with. */
export interface StreamFlowOptions {
  readonly link: Link
  readonly receiver: Receiver
  readonly prefix: string
  readonly jetstream: JetStreamOptions & { readonly create: boolean }
  readonly backlogMs: number
  /** The stream is out of reach though the connection holds: `restore` is due. */
  readonly onBroken: () => void
}

/**
 * Topics as subjects that a stream captures. Every replica is handed the whole of it, so that a subscription is
 * made and dropped without the broker, and a break loses nothing. What replicas tell each other goes beside it.
 */
export class StreamFlow implements Flow {
  readonly #options: StreamFlowOptions
  readonly #api: JetStreamApi
  readonly #stream: Stream
  readonly #reader: StreamReader
  readonly #control: CoreFlow
  #isControlLost = false

  constructor(options: StreamFlowOptions) {
    const { link, receiver, prefix, jetstream } = options
    this.#options = options
    this.#api = new JetStreamApi(link)
    this.#stream = new Stream(this.#api, prefix, jetstream)
    this.#reader = new StreamReader({ ...options, api: this.#api, stream: this.#stream })
    this.#control = new CoreFlow({ link, receiver, prefix: '', tellsGaps: false })
  }

  async start(): Promise<void> {
    await this.#reader.resume()
    if (this.#options.backlogMs > 0) await this.#reader.catchUp()
  }

  catchUp(): Promise<void> {
    return this.#reader.catchUp()
  }

  async subscribe(topic: TopicPattern): Promise<void> {
    if (isControl(topic)) return this.#control.subscribe(topic)
    this.#mustCapture(topic)
  }

  async unsubscribe(topic: TopicPattern): Promise<void> {
    if (isControl(topic)) await this.#control.unsubscribe(topic)
  }

  async publish(message: OutgoingMessage): Promise<void> {
    const { topic, payload } = message
    if (isControl(topic)) return this.#control.publish(message)
    this.#mustCapture(topic)
    const subject = this.#options.prefix + topic
    await this.#api.publish(this.#stream.name, subject, payload, headersOf(message))
  }

  refused(subject: string, error: Error): void {
    this.#control.refused(subject, error)
  }

  lost(): void {
    this.#isControlLost = true
    this.#control.lost()
    this.#reader.pause()
  }

  async restore(): Promise<void> {
    if (this.#isControlLost) {
      await this.#control.restore()
      this.#isControlLost = false
    }
    await this.#reader.resume()
  }

  async stop(): Promise<void> {
    await Promise.all([this.#reader.stop(), this.#control.stop()])
  }

  #mustCapture(topic: TopicPattern): void {
    if (this.#stream.captures(topic)) return
    throw new NatsError(
      `The stream ${this.#stream.name} has no subject for ${this.#options.prefix}${topic}.`,
      ErrorCode.BadSubject,
    )
  }
}

/** Whether a topic is for what replicas tell each other, which is of no use later. */
function isControl(topic: TopicPattern): boolean {
  return topic.startsWith(CONTROL_PREFIX)
}
