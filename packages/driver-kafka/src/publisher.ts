import kafkajs, {
  type Kafka,
  type Message,
  type Producer,
  type ProducerRecord,
  type RecordMetadata,
} from 'kafkajs'
import { Outbox } from './outbox.ts'

/** Publishes to any Kafka topic, each in the order of the calls. */
export class Publisher {
  readonly #client: Kafka
  readonly #outboxes = new Map<string, Outbox>()
  #producer: Producer
  #renewing: Promise<void> | undefined

  constructor(client: Kafka) {
    this.#client = client
    this.#producer = this.#newProducer()
  }

  async start(): Promise<void> {
    await this.#producer.connect()
  }

  /** Resolves once Kafka has the message. */
  send(kafkaTopic: string, message: Message): Promise<void> {
    let outbox = this.#outboxes.get(kafkaTopic)
    if (outbox === undefined) {
      outbox = new Outbox((batch) => this.#produce(batch), kafkaTopic)
      this.#outboxes.set(kafkaTopic, outbox)
    }
    return outbox.send(message)
  }

  async stop(): Promise<void> {
    await this.#producer.disconnect()
  }

  async #produce(batch: ProducerRecord): Promise<RecordMetadata[]> {
    const producer = this.#producer
    try {
      return await producer.send(batch)
    } catch (error) {
      // A producer that once sent to a Kafka topic that is gone asks for it, and so fails, with every other one.
      if (!isOfMissingTopic(error)) throw error
      if (this.#producer === producer) this.#renewing ??= this.#renew()
      await this.#renewing
      return this.#producer.send(batch)
    }
  }

  async #renew(): Promise<void> {
    try {
      const next = this.#newProducer()
      await next.connect()
      const left = this.#producer
      this.#producer = next
      // It waits for what is under way.
      left.disconnect().catch(() => {})
    } finally {
      this.#renewing = undefined
    }
  }

  #newProducer(): Producer {
    return this.#client.producer({
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
      metadataMaxAge: 5_000,
      allowAutoTopicCreation: false,
    })
  }
}

function isOfMissingTopic(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if (cause instanceof kafkajs.KafkaJSProtocolError)
      return cause.type === 'UNKNOWN_TOPIC_OR_PARTITION'
  return false
}
