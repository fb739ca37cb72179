import { gcpPubsubDriver, type GcpPubsubDriverOptions } from '@asbru/driver-gcp-pubsub'
import { type Opened, openedDriver } from '@asbru/trials'

/** An open driver, and what it handed over. */
export interface Reader {
  readonly driver: Opened['driver']
  readonly inbox: Opened
  /** The id of its subscription. */
  readonly subscription: string
}

/** A driver that is open and subscribed, until the test is over. */
export async function reader(
  options: GcpPubsubDriverOptions,
  ...topics: string[]
): Promise<Reader> {
  const inbox = await openedDriver(gcpPubsubDriver(options), ...topics)
  return { driver: inbox.driver, inbox, subscription: `asbru-test-${inbox.replica}` }
}
