import { kafkaDriver, type KafkaDriverOptions } from '@asbru/driver-kafka'
import { type Opened, openedDriver } from '../../../driver-contract/test/support/opened-driver.ts'

export { bytes, until } from '../../../driver-contract/test/support/opened-driver.ts'

/** A driver with `options` that is open, subscribed to `topics`, and closed at the end of the test. */
export function opened(options: KafkaDriverOptions, ...topics: string[]): Promise<Opened> {
  return openedDriver(kafkaDriver(options), ...topics)
}
