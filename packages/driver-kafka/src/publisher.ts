import kafkajs, { type Kafka, type Message, type Producer } from 'kafkajs'
import { Outbox } from './outbox.ts'

/** Publishes to any Kafka topic, each in the order of the calls. */
export class Publisher {
  readonly #client: Kafka
  readonly #outboxes = new Map<string, Outbox>()
  #producer: Producer

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
      outbox = new Outbox((batch) => this.#producer.send(batch), kafkaTopic)
      this.#outboxes.set(kafkaTopic, outbox)
    }
    return outbox.send(message)
  }

  /** Is due when a Kafka topic is gone: the producer would ask for it, and so fail, with every other one. */
  async renew(): Promise<void> {
    const next = this.#newProducer()
    await next.connect()
    const left = this.#producer
    this.#producer = next
    await left.disconnect()
  }

  async stop(): Promise<void> {
    await this.#producer.disconnect()
  }

  #newProducer(): Producer {
    return this.#client.producer({
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
      metadataMaxAge: 5_000,
      allowAutoTopicCreation: false,
    })
  }
}
