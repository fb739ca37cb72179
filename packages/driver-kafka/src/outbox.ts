import kafkajs, { type Message, type ProducerRecord, type RecordMetadata } from 'kafkajs'

const MAX_BATCH = 1_000
/** Far below what a broker takes at once; a larger message goes alone. */
const MAX_BATCH_BYTES = 256 * 1024
/** How long Kafka may take to accept what was published. */
const SEND_TIMEOUT_MS = 5_000

/** Sends a batch, and returns where it was put. */
export type Produce = (batch: ProducerRecord) => Promise<RecordMetadata[]>

/**
 * Sends to one Kafka topic, in the order of the calls: one request at a time, with all that came while
 * the one before was under way.
 */
export class Outbox {
  readonly #produce: Produce
  readonly #topic: string
  #waiting: Waiting[] = []
  #isSending = false

  constructor(produce: Produce, topic: string) {
    this.#produce = produce
    this.#topic = topic
  }

  /** Resolves once Kafka has the message. */
  send(message: Message): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ message, resolve, reject })
      if (this.#isSending) return
      this.#isSending = true
      // What is published in the same turn goes along.
      queueMicrotask(() => void this.#sendAll())
    })
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#nextBatch()
      try {
        await this.#sendBatch(batch.map(({ message }) => message))
        for (const { resolve } of batch) resolve()
      } catch (error) {
        // Where the broker refused nothing, it is out of reach; those behind must not wait as long again.
        const failed = isRefusal(error) ? batch : [...batch, ...this.#waiting.splice(0)]
        for (const { reject } of failed) reject(error)
      }
    }
    this.#isSending = false
  }

  #nextBatch(): Waiting[] {
    let bytes = 0
    let count = 0
    for (const { message } of this.#waiting) {
      bytes += message.value?.length ?? 0
      if (count > 0 && (count === MAX_BATCH || bytes > MAX_BATCH_BYTES)) break
      count++
    }
    return this.#waiting.splice(0, count)
  }

  async #sendBatch(messages: Message[]): Promise<void> {
    const sending = this.#produce({ topic: this.#topic, messages, timeout: SEND_TIMEOUT_MS })
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new kafkajs.KafkaJSNonRetriableError('Kafka did not answer in time.')),
        SEND_TIMEOUT_MS,
      )
    })
    try {
      const partitions = await Promise.race([sending, late])
      // The client drops without a word what it finds no partition for.
      if (partitions.length === 0)
        throw new kafkajs.KafkaJSError(`Kafka topic ${this.#topic} has no partition to send to.`)
    } finally {
      clearTimeout(timer)
    }
  }
}

interface Waiting {
  readonly message: Message
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Whether an error is an answer of the broker. */
function isRefusal(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if (cause instanceof kafkajs.KafkaJSProtocolError) return true
  return false
}
