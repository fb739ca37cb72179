import { rabbitmqDriver, type RabbitmqDriverOptions } from '@asbru/driver-rabbitmq'
import { type Opened, openedDriver } from '../../../driver-contract/test/support/opened-driver.ts'

export {
  bytes,
  Opened,
  openedWith,
  until,
} from '../../../driver-contract/test/support/opened-driver.ts'

/** A driver with `options` that is open, subscribed to `topics`, and closed at the end of the test. */
export function opened(options: RabbitmqDriverOptions, ...topics: string[]): Promise<Opened> {
  return openedDriver(rabbitmqDriver(options), ...topics)
}
