import { randomBytes } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import type { Batch, Consumer, Kafka } from 'kafkajs'
import type { PartitionLog } from './partition-log.ts'

/** What a {@link Reader} reads, and whom it tells. */
export interface ReaderOptions {
  readonly client: Kafka
  /** Begins the names of its groups. */
  readonly groupPrefix: string
  /** The log of a partition; one that is new begins at its beginning. */
  logOf(topic: string, partition: number): PartitionLog
  /** Must not throw: kafkajs takes a consumer down with its handler. */
  batch(batch: Batch): Promise<void>
  /** The broker has answered. */
  sign(): void
  /** A broker was asked for more than what it gave before. */
  answered(broker: number): void
  /** The partitions are assigned anew. */
  joined(): void
  /** The consumer ended, and another one takes its place. */
  lost(error: unknown): void
  /** Takes the connections to a broker (`host:port`) for dead. */
  drop(broker: string): void
  /** A group that nobody is in any more. */
  groupLeft(groupId: string): void
}

const RETRY_MS = 500
/** Reading in the middle of a poll has to wait for its end. */
const POLL_MS = 100
/** How long a consumer may take to leave its group. */
const LEAVE_MS = 2_000

/**
 * Follows all partitions of some Kafka topics. Where it reads on is up to the logs: its groups, one for each
 * consumer, commit nothing.
 */
export class Reader {
  readonly #options: ReaderOptions
  #topics: readonly string[] = []
  #current: Running | undefined
  #changing: Promise<void> = Promise.resolve()
  #isStopped = false

  constructor(options: ReaderOptions) {
    this.#options = options
  }

  /** What it follows; nothing where that failed. */
  get topics(): readonly string[] {
    return this.#topics
  }

  /** Resolves once exactly these are followed. */
  follow(topics: readonly string[]): Promise<void> {
    return this.#change(() => this.#begin(topics))
  }

  /** Reads again from where a log says. */
  seek({ topic, partition, readFrom }: PartitionLog): void {
    this.#current?.consumer.seek({ topic, partition, offset: String(readFrom) })
  }

  /** Resolves once nothing is read any more. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#current?.end(new Error('The Kafka driver was closed.'))
    await this.#change(async () => {})
  }

  /** One after the other. */
  #change(change: () => Promise<void>): Promise<void> {
    const before = this.#changing
    const changed = (async () => {
      await before
      await this.#leave()
      if (!this.#isStopped) await change()
    })()
    this.#changing = changed.catch(() => {})
    return changed
  }

  async #begin(topics: readonly string[]): Promise<void> {
    const { client, groupPrefix } = this.#options
    this.#topics = []
    if (topics.length === 0) return
    const groupId = `${groupPrefix}-${randomBytes(4).toString('hex')}`
    const consumer = client.consumer({
      groupId,
      maxWaitTimeInMs: POLL_MS,
      sessionTimeout: 10_000,
      heartbeatInterval: 1_000,
      metadataMaxAge: 5_000,
      maxBytes: 4 * 1024 * 1024,
      allowAutoTopicCreation: false,
      // Another one, in a group of its own, need not wait until this one is missed.
      retry: { retries: 1_000_000, maxRetryTime: 500, restartOnFailure: async () => false },
    })
    let end!: Running['end']
    const ended = new Promise<never>((_, reject) => (end = reject))
    ended.catch(() => {})
    const running = { consumer, groupId, end }
    this.#current = running
    const joining = this.#join(running, topics)
    joining.catch(() => {})
    await Promise.race([joining, ended])
    this.#topics = topics
  }

  async #join(running: Running, topics: readonly string[]): Promise<void> {
    const { consumer, end } = running
    const isCurrent = (): boolean => this.#current === running && !this.#isStopped
    const sign = (): void => {
      if (isCurrent()) this.#options.sign()
    }
    let hasJoined = false
    const joined = new Promise<void>((resolve) => {
      consumer.on('consumer.group_join', ({ payload: { memberAssignment } }) => {
        if (!isCurrent()) return
        for (const [topic, partitions] of Object.entries(memberAssignment))
          for (const partition of partitions) this.seek(this.#options.logOf(topic, partition))
        this.#options.joined()
        hasJoined = true
        sign()
        resolve()
      })
    })
    consumer.on('consumer.fetch', ({ payload: { nodeId } }) => {
      if (isCurrent()) this.#options.answered(nodeId)
    })
    consumer.on('consumer.heartbeat', sign)
    consumer.on('consumer.start_batch_process', sign)
    consumer.on('consumer.network.request_timeout', ({ payload }) =>
      this.#options.drop(payload.broker),
    )
    consumer.on('consumer.crash', ({ payload: { error } }) => {
      end(error)
      if (!isCurrent() || !hasJoined) return
      this.#options.lost(error)
      void this.#again(running, topics)
    })
    await consumer.connect()
    await consumer.subscribe({ topics: [...topics], fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        if (isCurrent()) await this.#options.batch(batch)
      },
    })
    await joined
  }

  async #again(crashed: Running, topics: readonly string[]): Promise<void> {
    let left: Running | undefined = crashed
    while (!this.#isStopped && this.#current === left) {
      try {
        await this.follow(topics)
        return
      } catch (error) {
        this.#options.lost(error)
        left = this.#current
        await wait(RETRY_MS)
      }
    }
  }

  async #leave(): Promise<void> {
    const left = this.#current
    if (left === undefined) return
    this.#current = undefined
    left.end(new Error('Another consumer takes its place.'))
    const disconnected = left.consumer.disconnect().catch(() => {})
    await Promise.race([disconnected, wait(LEAVE_MS, undefined, { ref: false })])
    this.#options.groupLeft(left.groupId)
  }
}

interface Running {
  readonly consumer: Consumer
  readonly groupId: string
  /** Ends the wait for it. */
  readonly end: (error: unknown) => void
}
