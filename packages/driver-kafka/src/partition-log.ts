import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { Position } from '@asbru/core'
import type { KafkaMessage } from 'kafkajs'

/** How far one partition was read, and how to tell that it is not the log any more that it was. */
export class PartitionLog {
  readonly topic: string
  readonly partition: number
  readonly #name: string
  readonly #epoch: string
  #next: number
  #last: Mark | undefined
  #restarts = 0

  constructor(topic: string, partition: number, epoch: string, next: number) {
    this.topic = topic
    this.partition = partition
    this.#name = logNameOf(topic, partition)
    this.#epoch = epoch
    this.#next = next
  }

  /** Offset of the next record that was not handed over. */
  get next(): number {
    return this.#next
  }

  /** Changes with every `restart`. */
  get restarts(): number {
    return this.#restarts
  }

  /** Where reading starts: at the record before, whose look tells whether this is the log that was read. */
  get readFrom(): number {
    return this.#last?.offset ?? Math.max(0, this.#next - 1)
  }

  /** What the records of a fetch say, of which the first is that at or after the offset asked for. */
  judge(records: readonly KafkaMessage[]): 'next' | 'skipped' | 'behind' | 'changed' {
    const first = Number(records[0]!.offset)
    if (first > this.#next) return 'skipped'
    if (first === this.#next) return 'next'
    const last = this.#last
    if (last !== undefined) {
      const again = records.find(({ offset }) => Number(offset) === last.offset)
      if (again !== undefined && markOf(again).text !== last.text) return 'changed'
    }
    return first < this.readFrom ? 'behind' : 'next'
  }

  /** Where the record before the next stands, or would. */
  get position(): Position {
    return this.positionOf(this.#next - 1)
  }

  positionOf(offset: number): Position {
    return { log: this.#name, epoch: this.#epoch, offset }
  }

  /** Notes that all records up to `lastOffset` were handed over, `last` being the last of them that is shown. */
  read(last: KafkaMessage, lastOffset: number): void {
    const offset = Number(last.offset)
    if (offset >= this.#next || (this.#last === undefined && offset === this.#next - 1))
      this.#last = markOf(last)
    this.#next = Math.max(this.#next, offset + 1, lastOffset + 1)
  }

  /** Takes `next` for the place to read on from, in a log of which nothing is known. */
  restart(next: number): void {
    this.#next = next
    this.#last = undefined
    this.#restarts++
  }
}

/** What one record looks like. */
interface Mark {
  readonly offset: number
  readonly text: string
}

function markOf({ offset, timestamp, key, value }: KafkaMessage): Mark {
  return { offset: Number(offset), text: `${timestamp} ${sum(key)} ${sum(value)}` }
}

function sum(bytes: Buffer | null): string {
  return bytes === null ? '-' : `${bytes.length}:${crc32(bytes)}`
}

/** A partition as the name of a log: topic and number where characters and length allow that. */
function logNameOf(topic: string, partition: number): string {
  const name = `${topic}-${partition}`
  if (/^[A-Za-z0-9_-]{1,64}$/.test(name)) return name
  const hash = createHash('sha256').update(topic).digest('hex').slice(0, 16)
  return `${topic.replaceAll('.', '-').slice(0, 36)}-${hash}-${partition}`
}
