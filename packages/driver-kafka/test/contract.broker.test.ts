import { describeDriver } from '@asbru/driver-contract'
import { kafkaHarness, kafkaUnderTest } from './support/kafka-harness.ts'

describeDriver(kafkaHarness(await kafkaUnderTest({ version: '4.4.0' })))
describeDriver(kafkaHarness(await kafkaUnderTest({ version: '3.9.2' })))
