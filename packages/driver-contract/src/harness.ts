import type { Driver, OutgoingMessage } from '@asbru/core'

/** A driver that a case asked for. */
export interface CreatedDriver {
  /** Not opened yet. */
  readonly driver: Driver
  /** Takes away what was made for it beside the driver, once the driver is closed. */
  dispose(): Promise<void>
}

/** What the suite needs to know of a driver and its broker. What the driver can do, it says itself. */
export interface DriverHarness {
  /** Stands in the titles. */
  readonly name: string
  /** Makes a driver on the broker that all drivers of this harness share; called several times in a case. */
  create(): Promise<CreatedDriver>
  /** Publishes with the broker's own client, as any other program would. */
  publishPlain?(message: OutgoingMessage): Promise<void>
  /** Cuts all drivers of this harness off from the broker; resolves once that holds. */
  breakConnection?(): Promise<void>
  /** Lets them reach it again. */
  restoreConnection?(): Promise<void>
  /** How long a case waits for what must happen, in milliseconds. @default 10_000 */
  readonly patienceMs?: number
  /** How many messages the largest load has, a multiple of 500; fewer for a broker that is a slow fake. @default 10_000 */
  readonly loadMessages?: number
  /**
   * After how many further messages, one after the other, all that was published before has arrived. More for
   * a broker that keeps no order between topics. @default 3
   */
  readonly settlingRounds?: number
}
