import { createHash } from 'node:crypto'
import type { OpenOptions } from '@asbru/core'
import { Duration, type Message, type Subscription } from '@google-cloud/pubsub'
import { once } from './call-options.ts'
import { janitorLabels } from './janitor.ts'
import type { Link } from './link.ts'
import { codeOf, isNotFound, StatusCode } from './status-code.ts'

/** How long Pub/Sub keeps what a replica has not fetched, in milliseconds. */
export const RETENTION_MS = 3_600_000
const DAY_S = 86_400
/** What Pub/Sub takes for a name. */
const NAME = /^[A-Za-z][A-Za-z0-9._~+%-]{2,254}$/
/** As the topic of a subscription whose topic was deleted. */
const DELETED_TOPIC = '_deleted-topic_'

/** What a {@link ReplicaSubscription} works with. */
export interface ReplicaSubscriptionOptions extends OpenOptions {
  readonly link: Link
  readonly create: boolean
  readonly timeoutMs: number
  readonly onMessage: (message: Message) => void
  /** A stream failed; the client makes it again. */
  readonly onDoubt: () => void
  /** All streams ended; the client does not make them again. */
  readonly onEnd: (error: unknown) => void
}

/** The subscription of this replica, which gets all messages of the Pub/Sub topic. */
export class ReplicaSubscription {
  readonly name: string
  /** How long Pub/Sub may take to answer. */
  timeoutMs: number
  readonly #options: ReplicaSubscriptionOptions
  #listening: Subscription | undefined

  constructor(options: ReplicaSubscriptionOptions) {
    this.#options = options
    this.timeoutMs = options.timeoutMs
    this.name = subscriptionName(options)
  }

  get isListening(): boolean {
    return this.#listening !== undefined
  }

  /** Makes it, and the topic if that is absent and may be made. What is published from then on will arrive. */
  async make(): Promise<void> {
    const { link, create } = this.#options
    try {
      await this.#make()
    } catch (error) {
      if (codeOf(error) === StatusCode.alreadyExists) return
      if (!isNotFound(error) || !create) throw error
      await link.topic.create(once(this.timeoutMs)).catch(unlessCode(StatusCode.alreadyExists))
      await this.#make().catch(unlessCode(StatusCode.alreadyExists))
    }
  }

  /** Whether it is there and gets messages; rejects if nobody answers. One whose topic was deleted is removed. */
  async holds(): Promise<boolean> {
    try {
      const [{ topic, detached }] = await this.#handle().getMetadata(once(this.timeoutMs))
      if (topic !== DELETED_TOPIC && !detached) return true
    } catch (error) {
      if (isNotFound(error)) return false
      throw error
    }
    await this.remove()
    return false
  }

  /** Tells the janitors of other replicas that this one lives. */
  async beat(): Promise<void> {
    const { namespace } = this.#options
    await this.#handle().setMetadata({ labels: janitorLabels(namespace) }, once(this.timeoutMs))
  }

  listen(): void {
    this.stopListening()
    const { link, onMessage, onDoubt, onEnd } = this.#options
    const subscription = link.pubsub.subscription(this.name, {
      // Some emulators hand out the next message of an ordering key only after the one before.
      batching: { maxMilliseconds: 5 },
      streamingOptions: {
        retryMinBackoff: Duration.from({ milliseconds: 100 }),
        retryMaxBackoff: Duration.from({ seconds: 1 }),
      },
      closeOptions: { timeout: Duration.from({ milliseconds: 500 }) },
    })
    this.#listening = subscription
    subscription.on('error', (error) => {
      if (this.#listening !== subscription) return
      this.stopListening()
      onEnd(error)
    })
    subscription.on('debug', () => {
      if (this.#listening === subscription) onDoubt()
    })
    subscription.on('message', (message: Message) => {
      if (this.#listening !== subscription) return
      onMessage(message)
      message.ack()
    })
  }

  /** Hands over nothing more from now on. */
  stopListening(): void {
    this.#listening?.close(() => {})
    this.#listening = undefined
  }

  /** Removes it, so that Pub/Sub keeps nothing for this replica. */
  async remove(timeoutMs: number = this.timeoutMs): Promise<void> {
    await this.#handle().delete(once(timeoutMs)).catch(unlessCode(StatusCode.notFound))
  }

  async #make(): Promise<void> {
    const { link, namespace } = this.#options
    await link.pubsub.createSubscription(link.topic, this.name, {
      enableMessageOrdering: true,
      ackDeadlineSeconds: 10,
      messageRetentionDuration: RETENTION_MS / 1_000,
      expirationPolicy: { ttl: { seconds: DAY_S } },
      labels: janitorLabels(namespace),
      gaxOpts: once(this.timeoutMs),
    })
  }

  #handle(): Subscription {
    return this.#options.link.pubsub.subscription(this.name)
  }
}

/** A name for each replica of each namespace, as Pub/Sub takes it. */
function subscriptionName({ namespace, replica }: OpenOptions): string {
  const name = `asbru-${namespace}-${replica}`
  if (NAME.test(name)) return name
  return `asbru-${createHash('sha256').update(name).digest('hex')}`
}

function unlessCode(code: number): (error: unknown) => void {
  return (error) => {
    if (codeOf(error) !== code) throw error
  }
}
