import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises'
import type { OutgoingMessage } from '@asbru/core'
import { type ClientConfig, type PublishOptions, PubSub, type Topic } from '@google-cloud/pubsub'
import { once } from './call-options.ts'
import { outgoing } from './message.ts'
import { codeOf, StatusCode } from './status-code.ts'

/** Where the client comes from: options for one of the driver's own, or one that exists. */
export type PubsubSource =
  | {
      /**
       * Options of `@google-cloud/pubsub`, such as `projectId`; the `host:port` of an emulator is `apiEndpoint`.
       *
       * @default what the environment says
       */
      connection?: ClientConfig
    }
  | {
      /** A client of `@google-cloud/pubsub`. It is left open, and keeps its own settings for lost connections. */
      client: PubSub
    }

/** What a {@link Link} works with. */
export type LinkOptions = PubsubSource & {
  readonly topic: string
  /** Who publishes. */
  readonly replica: string
  readonly timeoutMs: number
}

/** Without these, it would take the client up to four seconds to find a service that is back. */
const settings = {
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.min_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 500,
  // Else a new client would go on with the connection of the one that it replaces.
  'grpc.use_local_subchannel_pool': 1,
}

/** How long a publish is tried again while the service is out of reach. */
const PUBLISH_RETRY_MS = 1_500

/** The client of Pub/Sub, and the topic that it publishes to. */
export class Link {
  readonly #options: LinkOptions
  readonly #underWay = new Set<Promise<unknown>>()
  #pubsub: PubSub
  #topic: Topic

  constructor(options: LinkOptions) {
    this.#options = options
    this.#pubsub = this.#client()
    this.#topic = this.#topicOf(this.#pubsub)
  }

  get pubsub(): PubSub {
    return this.#pubsub
  }

  get topic(): Topic {
    return this.#topic
  }

  /** Whether the client is the driver's own. */
  get isReplaceable(): boolean {
    return !('client' in this.#options)
  }

  /** Resolves once the client knows its project. */
  async prepare(): Promise<void> {
    await this.#pubsub.getClientConfig()
    if (!this.#pubsub.projectId) throw new TypeError('Pub/Sub needs a `projectId`.')
  }

  async publish(message: OutgoingMessage): Promise<void> {
    const topic = this.#topic
    const made = outgoing(message, this.#options.replica)
    const publishing = topic.publishMessage(made)
    this.#underWay.add(publishing)
    try {
      await publishing
    } catch (error) {
      // The client gives up the ordering key a moment after it rejected.
      await turn()
      topic.resumePublishing(made.orderingKey)
      throw error
    } finally {
      this.#underWay.delete(publishing)
    }
  }

  /** Rejects if the connection that publishes gets no answer; any answer will do. */
  async reachToPublish(): Promise<void> {
    try {
      await this.#topic.getMetadata(once(this.#options.timeoutMs))
    } catch (error) {
      const code = codeOf(error)
      if (code === StatusCode.unavailable || code === StatusCode.deadlineExceeded) throw error
    }
  }

  /** Puts a new client in place of one whose connection is dead; one of the user's stays. */
  async replace(): Promise<void> {
    if (!this.isReplaceable) return
    const old = this.#pubsub
    this.#pubsub = this.#client()
    this.#topic = this.#topicOf(this.#pubsub)
    await Promise.allSettled([old.close(), this.prepare()])
  }

  /** Resolves once all publishes have their answer, after so many milliseconds at most. */
  async flush(timeoutMs: number): Promise<void> {
    const over = new AbortController()
    const time = wait(timeoutMs, undefined, { signal: over.signal })
    await Promise.race([Promise.allSettled(this.#underWay), time])
    over.abort()
    await time.catch(() => {})
  }

  async close(): Promise<void> {
    if (this.isReplaceable) await this.#pubsub.close()
  }

  #client(): PubSub {
    if ('client' in this.#options) return this.#options.client
    const { connection = {} } = this.#options
    return new PubSub({ ...settings, ...connection })
  }

  #topicOf(pubsub: PubSub): Topic {
    const { topic, timeoutMs } = this.#options
    return pubsub.topic(topic, {
      messageOrdering: true,
      // What is published while a batch is under way goes into the next one: no need to wait for more.
      batching: { maxMilliseconds: 0 },
      gaxOpts: publishCall(timeoutMs),
    })
  }
}

/**
 * The client's own pauses between attempts grow beyond any time limit. A service that is back is found again
 * within half a second, so there is no use in waiting much longer.
 */
function publishCall(timeoutMs: number): NonNullable<PublishOptions['gaxOpts']> {
  return {
    timeout: timeoutMs,
    retry: {
      retryCodes: [StatusCode.unavailable],
      backoffSettings: {
        initialRetryDelayMillis: 50,
        retryDelayMultiplier: 1.5,
        maxRetryDelayMillis: 250,
        initialRpcTimeoutMillis: timeoutMs,
        rpcTimeoutMultiplier: 1,
        maxRpcTimeoutMillis: timeoutMs,
        totalTimeoutMillis: Math.min(timeoutMs, PUBLISH_RETRY_MS),
      },
    },
  }
}
