import type { DriverStatus, GapReason } from '@asbru/core'
import type { KafkaMessage } from 'kafkajs'
import type { Ends, KafkaTopics } from './kafka-topics.ts'
import { PartitionLog } from './partition-log.ts'
import { CONTROL_TOPIC } from './routes.ts'

/** What {@link Logs} work with. */
export interface LogsOptions {
  readonly kafka: KafkaTopics
  readonly tell: (status: DriverStatus) => void
}

/** How far each partition was read, compared with what Kafka says of it. Tells places and gaps of those with data. */
export class Logs {
  /** Distinguishes the logs of one cluster from those of another. */
  clusterId = ''
  readonly #options: LogsOptions
  readonly #all = new Map<string, PartitionLog>()

  constructor(options: LogsOptions) {
    this.#options = options
  }

  /** The log of a partition; one that is not known yet begins at `next`. */
  of(topic: string, partition: number, next = 0): PartitionLog {
    const key = `${topic}/${partition}`
    let log = this.#all.get(key)
    if (log === undefined) {
      log = new PartitionLog(topic, partition, epochOf(this.clusterId), next)
      this.#all.set(key, log)
      this.#tellPlace(log)
    }
    return log
  }

  /**
   * Takes the place to begin from in each partition of a Kafka topic, unless it has one from an earlier attempt: at
   * its end, or where its records are younger than so many milliseconds.
   */
  async place(topic: string, backlogMs: number): Promise<void> {
    const { kafka } = this.#options
    const ends = await kafka.ends(topic)
    const isBacklog = backlogMs > 0 && topic !== CONTROL_TOPIC
    const since = isBacklog ? await kafka.offsetsSince(topic, Date.now() - backlogMs) : undefined
    for (const [partition, { high }] of ends)
      this.of(topic, partition, since?.get(partition) ?? high)
  }

  /** Tells what may be missing before the records of a fetch, and what to do with them. */
  async judge(
    log: PartitionLog,
    records: readonly KafkaMessage[],
  ): Promise<'read' | 'seek' | 'drop'> {
    const judged = log.judge(records)
    if (judged === 'next') return 'read'
    const { next, restarts } = log
    const ends = (await this.#options.kafka.ends(log.topic)).get(log.partition)
    if (ends === undefined || log.restarts !== restarts) return 'drop'
    if (judged === 'changed' || ends.high < next) {
      this.#goOn(log, ends, 'log-changed')
      return 'seek'
    }
    if (judged === 'skipped' && ends.low > next) this.#goOn(log, ends, 'log-trimmed')
    return 'read'
  }

  /** Returns those partitions of a Kafka topic that were made anew, and are to be read from their beginning. */
  async verify(topic: string): Promise<PartitionLog[]> {
    const before = [...this.#all.values()]
      .filter((log) => log.topic === topic)
      .map((log) => ({ log, next: log.next, restarts: log.restarts }))
    const ends = await this.#options.kafka.ends(topic)
    const changed: PartitionLog[] = []
    for (const { log, next, restarts } of before) {
      const now = ends.get(log.partition)
      if (now === undefined || now.high >= next || log.restarts !== restarts) continue
      this.#goOn(log, now, 'log-changed')
      changed.push(log)
    }
    return changed
  }

  /** Goes on with the first record that a log has left, and tells what is missing before it. */
  #goOn(log: PartitionLog, { low }: Ends, reason: GapReason): void {
    log.restart(low)
    if (log.topic === CONTROL_TOPIC) return
    this.#options.tell({ type: 'gap', reason })
    this.#tellPlace(log)
  }

  #tellPlace({ topic, position }: PartitionLog): void {
    if (topic !== CONTROL_TOPIC) this.#options.tell({ type: 'log', position })
  }
}

const EPOCH_LENGTH = 8

/** Kafka has an id of the cluster for clients of this age, none of the topic. */
function epochOf(clusterId: string): string {
  return clusterId.replaceAll(/[^A-Za-z0-9_-]/g, '').slice(0, EPOCH_LENGTH)
}
