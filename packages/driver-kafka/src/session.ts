import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises'
import {
  CONTROL_PREFIX,
  type OpenOptions,
  type OutgoingMessage,
  type Receiver,
  type TopicPattern,
  TopicSet,
} from '@asbru/core'
import kafkajs, { type Batch } from 'kafkajs'
import { CatchingUp } from './catching-up.ts'
import type { Clients } from './clients.ts'
import { Health } from './health.ts'
import { type CreateOptions, KafkaTopics } from './kafka-topics.ts'
import { Logs } from './logs.ts'
import type { PartitionLog } from './partition-log.ts'
import { Publisher } from './publisher.ts'
import { Reader } from './reader.ts'
import { CONTROL_TOPIC, type Routes } from './routes.ts'

/** What a {@link Session} works with. */
export interface SessionOptions {
  readonly clients: Clients
  readonly routes: Routes
  /** What is made if it is absent; `undefined`: nothing. */
  readonly create: CreateOptions | undefined
  readonly groupPrefix: string
  readonly receiver: Receiver
  readonly open: OpenOptions
}

/** How often the logs are compared with what was read, and topics are looked for. */
const VERIFY_EVERY_MS = 5_000
const RETRY_MS = 200
/** What an orderly end may take of the broker's time. */
const END_MS = 2_000

/** One `open` of the driver, to its end. */
export class Session {
  readonly #options: SessionOptions
  readonly #kafka: KafkaTopics
  readonly #reader: Reader
  readonly #publisher: Publisher
  readonly #health: Health
  readonly #logs: Logs
  readonly #controlTopics = new TopicSet()
  readonly #catchingUp = new CatchingUp()
  readonly #groupsLeft = new Set<Promise<void>>()
  readonly #stopping = new AbortController()
  #asking: Promise<void> | undefined
  #verifying: Promise<void> | undefined

  constructor(options: SessionOptions) {
    const { clients, routes, create, groupPrefix, receiver, open } = options
    this.#options = options
    this.#kafka = new KafkaTopics(clients.writing, routes, create)
    this.#logs = new Logs({
      kafka: this.#kafka,
      tell: (status) => {
        if (!this.#stopping.signal.aborted) receiver.status(status)
      },
    })
    this.#publisher = new Publisher(clients.writing)
    this.#health = new Health({
      status: (status) => {
        if (status.type === 'reconnecting') this.#catchingUp.giveUp(outOfReach())
        receiver.status(status)
      },
      silent: () => clients.drop(),
    })
    this.#reader = new Reader({
      client: clients.reading,
      groupPrefix: `${groupPrefix}${open.namespace}-${open.replica}`,
      logOf: (topic, partition) => this.#logs.of(topic, partition),
      batch: (batch) => this.#receive(batch),
      sign: () => this.#health.sign(),
      answered: (broker) => this.#catchingUp.answered(broker),
      joined: () => this.#catchingUp.restart(),
      lost: (error) => this.#health.lost(error),
      drop: (broker) => clients.drop(broker),
      groupLeft: (groupId) => this.#leaveGroup(groupId),
    })
  }

  /** Resolves once all before is handed over, and all later messages will be; rejects after `timeoutMs` (0: never) with what stood in the way. */
  async start(timeoutMs: number): Promise<void> {
    const { signal } = this.#stopping
    let timer: NodeJS.Timeout | undefined
    let reason: Error = new kafkajs.KafkaJSNonRetriableError(
      `Kafka did not answer in ${timeoutMs} ms.`,
    )
    const given = new AbortController()
    const starting = this.#startUntilDone((error) => (reason = error as Error))
    // Whichever is too late has nobody to tell.
    starting.catch(() => {})
    try {
      await new Promise<void>((resolve, reject) => {
        const giveUp = (): void => reject(new Error('The Kafka driver was closed.'))
        starting.then(resolve, reject)
        signal.addEventListener('abort', giveUp, { signal: given.signal })
        if (timeoutMs === 0) return
        timer = setTimeout(() => reject(reason), timeoutMs)
      })
    } finally {
      clearTimeout(timer)
      given.abort()
    }
    this.#options.receiver.status({ type: 'connected' })
    this.#health.start()
    this.#verifying = this.#verifyUntilStopped()
    if (this.#options.open.backlogMs) await this.catchUp()
  }

  subscribe(topic: TopicPattern): void {
    if (topic.startsWith(CONTROL_PREFIX)) this.#controlTopics.add(topic)
  }

  unsubscribe(topic: TopicPattern): void {
    this.#controlTopics.delete(topic)
  }

  /** Resolves once all is handed over that the logs hold now; rejects if Kafka gets lost before. */
  catchUp(): Promise<void> {
    // Calls that come before Kafka is asked share its answer.
    return (this.#asking ??= this.#catchUp())
  }

  async publish(message: OutgoingMessage): Promise<void> {
    const { routes } = this.#options
    await this.#publisher.send(routes.kafkaTopicOf(message.topic), routes.recordOf(message))
  }

  /** Resolves once nothing more is handed over, and what was made for reading is gone if the broker answers. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#health.stop()
    this.#catchingUp.giveUp(new Error('The Kafka driver was closed.'))
    const end = async (): Promise<void> => {
      await Promise.all([this.#reader.stop(), this.#publisher.stop()])
      await Promise.all(this.#groupsLeft)
      await this.#verifying
      await this.#kafka.close()
    }
    const ended = end().catch(() => {})
    await Promise.race([ended, wait(END_MS, undefined, { ref: false })])
    this.#options.clients.close()
  }

  async #startUntilDone(failed: (error: unknown) => void): Promise<void> {
    for (;;) {
      try {
        await this.#begin()
        return
      } catch (error) {
        if (this.#stopping.signal.aborted || isFinal(error)) throw error
        failed(error)
        await wait(RETRY_MS)
      }
    }
  }

  async #begin(): Promise<void> {
    const { routes, create } = this.#options
    const present = await this.#kafka.present()
    const absent = routes.fixed.find((topic) => !present.includes(topic))
    if (absent !== undefined && create === undefined)
      throw new kafkajs.KafkaJSNonRetriableError(`There is no Kafka topic ${absent}.`)
    this.#logs.clusterId = await this.#kafka.clusterId()
    const { backlogMs = 0 } = this.#options.open
    for (const topic of present) await this.#logs.place(topic, backlogMs)
    await this.#publisher.start()
    await this.#reader.follow(present)
  }

  async #catchUp(): Promise<void> {
    await turn()
    this.#asking = undefined
    if (this.#health.isDown) throw outOfReach()
    const topics = this.#reader.topics.filter((topic) => topic !== CONTROL_TOPIC)
    const all = await Promise.all(
      topics.map(async (topic) =>
        [...(await this.#kafka.ends(topic))].map(([partition, { high }]) => ({
          log: this.#logs.of(topic, partition),
          high,
        })),
      ),
    )
    if (this.#health.isDown) throw outOfReach()
    const ends = all.flat()
    await this.#catchingUp.until(() => ends.every(({ log, high }) => log.next >= high))
  }

  /** Never throws: kafkajs would take the consumer down. */
  async #receive(batch: Batch): Promise<void> {
    const log = this.#logs.of(batch.topic, batch.partition)
    try {
      const next = await this.#logs.judge(log, batch.messages)
      if (next === 'read') this.#handOver(log, batch)
      else if (next === 'seek') this.#reader.seek(log)
    } catch {
      // It could not be compared now, and is read again.
      await wait(RETRY_MS)
      this.#reader.seek(log)
    }
    this.#catchingUp.read()
  }

  #handOver(log: PartitionLog, batch: Batch): void {
    const { routes, receiver } = this.#options
    const { signal } = this.#stopping
    const isControl = log.topic === CONTROL_TOPIC
    const from = log.next
    for (const record of batch.messages) {
      const offset = Number(record.offset)
      if (offset < from) continue
      const topic = routes.topicOf(batch.topic, record)
      if (signal.aborted) return
      if (topic === undefined) continue
      if (!isControl)
        receiver.message({ ...routes.messageOf(topic, record), position: log.positionOf(offset) })
      else if (this.#controlTopics.delivers(topic))
        receiver.message(routes.messageOf(topic, record))
    }
    log.read(batch.messages.at(-1)!, Number(batch.lastOffset()))
  }

  async #verifyUntilStopped(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      try {
        await wait(VERIFY_EVERY_MS, undefined, { ref: false, signal })
        await this.#verify()
      } catch {
        // The broker is out of reach, or a topic is being made: the next time will tell.
      }
    }
  }

  async #verify(): Promise<void> {
    const present = await this.#kafka.present()
    for (const topic of present)
      for (const log of await this.#logs.verify(topic)) this.#reader.seek(log)
    const followed = this.#reader.topics
    const isSame = followed.length === present.length
    if (isSame && present.every((topic) => followed.includes(topic))) return
    await this.#reader.follow(present)
  }

  #leaveGroup(groupId: string): void {
    const leaving = this.#kafka
      .deleteGroup(groupId)
      .catch(() => {})
      .finally(() => this.#groupsLeft.delete(leaving))
    this.#groupsLeft.add(leaving)
  }
}

function outOfReach(): Error {
  return new kafkajs.KafkaJSNonRetriableError('Kafka is out of reach.')
}

/** Whether an error stays, however often it is tried: a wrong password, a topic that must not be read. */
function isFinal(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof kafkajs.KafkaJSSASLAuthenticationError) return true
    if (cause instanceof kafkajs.KafkaJSProtocolError && !cause.retriable) return true
  }
  return error instanceof Error && error.message.startsWith('There is no Kafka topic')
}
