import { Kafka, logLevel } from 'kafkajs'
import type { Probe } from './probes.ts'

const topic = 'probe'

/** A record in a topic of one partition. */
export const kafkaProbe: Probe = {
  async store({ url }, value) {
    const kafka = new Kafka({ brokers: [url], logLevel: logLevel.NOTHING })
    const admin = kafka.admin()
    const producer = kafka.producer()
    try {
      await admin.connect()
      await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true })
      await producer.connect()
      await producer.send({ topic, messages: [{ value }] })
    } finally {
      await Promise.all([admin.disconnect(), producer.disconnect()])
    }
  },
  async find({ url }) {
    const kafka = new Kafka({ brokers: [url], logLevel: logLevel.NOTHING })
    const consumer = kafka.consumer({ groupId: 'probe', maxWaitTimeInMs: 100 })
    try {
      await consumer.connect()
      await consumer.subscribe({ topic, fromBeginning: true })
      return await new Promise((resolve, reject) => {
        const eachMessage = async ({ message }: { message: { value: Buffer | null } }) =>
          resolve(message.value?.toString())
        consumer.run({ autoCommit: false, eachMessage }).catch(reject)
      })
    } finally {
      await consumer.disconnect()
    }
  },
}
