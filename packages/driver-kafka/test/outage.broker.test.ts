import { describeAbsence, describeOutages } from '@asbru/trials'
import { describe } from 'vitest'
import { kafkaUnderTest, kafkaWay } from './support/kafka-harness.ts'

describe.each([
  { version: '4.4.0', sessionTimeoutMs: 2_000, outages: [0, 5_000, 15_000] },
  { version: '4.4.0', sessionTimeoutMs: 9_000, outages: [0, 15_000] },
  { version: '3.9.2', sessionTimeoutMs: 2_000, outages: [0, 15_000] },
  { version: '3.9.2', sessionTimeoutMs: 9_000, outages: [0, 15_000] },
])('missed for $sessionTimeoutMs ms', async ({ version, sessionTimeoutMs, outages }) => {
  const kafka = await kafkaUnderTest({ version, sessionTimeoutMs })
  const ways = [kafkaWay(kafka)]
  describeOutages({ name: `Kafka ${version}`, broker: kafka.broker, ways }, outages)
})

const kafka = await kafkaUnderTest()
describeAbsence({ name: 'Kafka', broker: kafka.broker, ways: [kafkaWay(kafka)] })
