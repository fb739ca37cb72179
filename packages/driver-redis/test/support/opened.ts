import { redisDriver, type RedisDriverOptions } from '@asbru/driver-redis'
import { type Opened, openedDriver } from '../../../driver-contract/test/support/opened-driver.ts'

export {
  bytes,
  Opened,
  openedWith,
  until,
} from '../../../driver-contract/test/support/opened-driver.ts'

/** A driver with `options` that is open, subscribed to `topics`, and closed at the end of the test. */
export function opened(options: RedisDriverOptions, ...topics: string[]): Promise<Opened> {
  return openedDriver(redisDriver(options), ...topics)
}
