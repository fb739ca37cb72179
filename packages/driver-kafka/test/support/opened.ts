import { kafkaDriver, type KafkaDriverOptions } from '@asbru/driver-kafka'
import { type Opened, openedDriver } from '@asbru/trials'

export { bytes, Opened, openedWith, until } from '@asbru/trials'

/** A driver with `options` that is open, subscribed to `topics`, and closed at the end of the test. */
export function opened(options: KafkaDriverOptions, ...topics: string[]): Promise<Opened> {
  return openedDriver(kafkaDriver(options), ...topics)
}
