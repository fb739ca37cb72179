import type { Driver } from '@asbru/core'

/** One way in which a driver can be used, and what it promises there. */
export interface Way {
  /** Stands in the titles: `redis streams`. */
  readonly name: string
  /** Makes a driver, straight on the broker or through the proxy before it; it is not open yet. */
  driver(
    at: 'broker' | 'proxy',
    options?: { readonly startTimeoutMs?: number },
  ): Driver | Promise<Driver>
  /**
   * Publishes text as any other program does, and resolves once the broker has it.
   *
   * @default a driver of its own, straight on the broker
   */
  readonly publish?: (topic: string, text: string) => Promise<unknown>
  /** All that the broker kept of a topic, as its plain client reads it, at least so many. @default nobody knows */
  readonly stored?: (topic: string, atLeast: number) => Promise<number[]>
  /** Whether messages may be missing, and a gap says so, after the end of the broker. */
  readonly tellsGapOfOutage: boolean
  /** Whether they may be, and it says so, after the end of a connection. */
  readonly tellsGapOfCut: boolean
  /** Whether all that was accepted arrives, even so. */
  readonly keepsAll: boolean
  /** Whether an outage that is over at once may cost nothing, so that nothing is told of it. @default false */
  readonly mayOverlookOutage?: boolean
  /** Between two messages of a steady stream, in milliseconds. @default 2 */
  readonly pauseMs?: number
  /** How many messages at once go over a slow network. @default 100 */
  readonly burst?: number
  /** What `open` rejects with while the broker is absent, as far as it matters. */
  readonly absence: object
  /** How long a publish may take to be refused while the broker is out of reach, in milliseconds. */
  readonly refusesWithinMs: number
}
