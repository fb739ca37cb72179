import { describeDriver } from '@asbru/driver-contract'
import { kafkaHarness, kafkaUnderTest } from './support/kafka-harness.ts'

describeDriver(kafkaHarness(await kafkaUnderTest()))
