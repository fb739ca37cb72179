import { setTimeout as wait } from 'node:timers/promises'
import type { Kafka, Producer } from 'kafkajs'
import { until } from './opened.ts'

/** Publishes numbers to an Asbru topic, as any program would, and keeps those that Kafka accepted. */
export function steadyStream(
  producer: Producer,
  topic: string,
): { accepted: number[]; stop(): Promise<void> } {
  const accepted: number[] = []
  const over = new AbortController()
  const done = run()
  return {
    accepted,
    stop() {
      over.abort()
      return done
    },
  }

  async function run(): Promise<void> {
    for (let next = 0; !over.signal.aborted; next++) {
      try {
        await producer.send({ topic: 'asbru', messages: [{ key: topic, value: String(next) }] })
        accepted.push(next)
      } catch {
        // It was not accepted.
      }
      await wait(1)
    }
  }
}

/** The values of all records of a Kafka topic with the key, `atLeast` so many, by a plain consumer. */
export async function recordsOf(
  plain: Kafka,
  kafkaTopic: string,
  key: string,
  atLeast: number,
): Promise<string[]> {
  const consumer = plain.consumer({
    groupId: `records-${Math.random()}`,
    maxWaitTimeInMs: 100,
    allowAutoTopicCreation: false,
  })
  const values: string[] = []
  await consumer.connect()
  await consumer.subscribe({ topics: [kafkaTopic], fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ message }) => {
      if (message.key?.toString() === key) values.push(message.value!.toString())
    },
  })
  await until(() => values.length >= atLeast)
  await consumer.disconnect()
  return values
}
