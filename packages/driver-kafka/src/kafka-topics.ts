import type { Admin, Kafka } from 'kafkajs'
import { CONTROL_TOPIC, type Routes } from './routes.ts'

/** What is made where a Kafka topic is absent. */
export interface CreateOptions {
  readonly partitions: number
  readonly retentionMs: number
}

/** The records that a partition has: from `low` to before `high`. */
export interface Ends {
  readonly low: number
  readonly high: number
}

/** A message of 1 MiB does not fit into the 1 MiB that a broker takes by default. */
const MAX_MESSAGE_BYTES = 2 * 1024 * 1024

/** The Kafka topics of a driver, as the broker has them. */
export class KafkaTopics {
  readonly #client: Kafka
  readonly #routes: Routes
  readonly #create: CreateOptions | undefined
  #admin: Promise<Admin> | undefined

  constructor(client: Kafka, routes: Routes, create: CreateOptions | undefined) {
    this.#client = client
    this.#routes = routes
    this.#create = create
  }

  /** Names those that are to be read, and makes those that are absent. */
  present(): Promise<string[]> {
    return this.#ask(async (admin) => {
      const all = new Set(await admin.listTopics())
      const absent = this.#routes.fixed.filter((topic) => !all.has(topic))
      if (absent.length > 0 && this.#create !== undefined) {
        await this.#make(admin, absent, this.#create)
        for (const topic of absent) all.add(topic)
      }
      return [...all].filter((topic) => this.#routes.reads(topic))
    })
  }

  /** The ends of all partitions of a Kafka topic. */
  ends(topic: string): Promise<Map<number, Ends>> {
    return this.#ask(async (admin) => {
      const all = await admin.fetchTopicOffsets(topic)
      return new Map(
        all.map(({ partition, low, high }) => [
          partition,
          { low: Number(low), high: Number(high) },
        ]),
      )
    })
  }

  /** By partition of a Kafka topic, the offset of the first record since then, or its end. */
  offsetsSince(topic: string, time: number): Promise<Map<number, number>> {
    return this.#ask(async (admin) => {
      const all = await admin.fetchTopicOffsetsByTimestamp(topic, time)
      return new Map(all.map(({ partition, offset }) => [partition, Number(offset)]))
    })
  }

  /** Distinguishes clusters. */
  clusterId(): Promise<string> {
    return this.#ask(async (admin) => (await admin.describeCluster()).clusterId)
  }

  async deleteGroup(groupId: string): Promise<void> {
    await this.#ask((admin) => admin.deleteGroups([groupId]))
  }

  async close(): Promise<void> {
    await this.#leave()
  }

  async #make(admin: Admin, topics: readonly string[], create: CreateOptions): Promise<void> {
    const configEntries = [
      { name: 'retention.ms', value: String(create.retentionMs) },
      { name: 'max.message.bytes', value: String(MAX_MESSAGE_BYTES) },
    ]
    await admin.createTopics({
      // A replica that starts at the same time may make them as well, which is no error.
      topics: topics.map((topic) => ({
        topic,
        numPartitions: topic === CONTROL_TOPIC ? 1 : create.partitions,
        configEntries,
      })),
    })
  }

  async #ask<Answer>(question: (admin: Admin) => Promise<Answer>): Promise<Answer> {
    try {
      return await question(await (this.#admin ??= this.#connect()))
    } catch (error) {
      // It would ask about a topic that is gone with each question after.
      await this.#leave()
      throw error
    }
  }

  async #connect(): Promise<Admin> {
    const admin = this.#client.admin({ retry: { retries: 2, maxRetryTime: 500 } })
    await admin.connect()
    return admin
  }

  async #leave(): Promise<void> {
    const left = this.#admin
    this.#admin = undefined
    await left?.then((admin) => admin.disconnect()).catch(() => {})
  }
}
