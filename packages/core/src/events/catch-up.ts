import type { Clock } from '../clock.ts'
import type { Driver } from '../driver.ts'
import { StreamerError } from '../errors.ts'
import type { Cursors } from './cursor.ts'

/** How long a replica may take to read what a browser has had already. */
const CATCH_UP_MS = 2_000

/** What it works with. */
export interface CatchUpOptions {
  readonly driver: Driver
  readonly cursors: Cursors
  readonly clock: Clock
}

/** Lets a replica that lags behind a browser's cursor, or cannot make sense of it, read its logs before it judges. */
export class CatchUp {
  readonly #options: CatchUpOptions
  #running: Promise<void> | undefined

  constructor(options: CatchUpOptions) {
    this.#options = options
  }

  /**
   * Resolves once this replica has read what was before `cursor`, or all that there is.
   * @throws {StreamerError} `NOT_READY` if the broker does not answer in time
   */
  async to(cursor: string): Promise<void> {
    const { cursors } = this.#options
    // A run that began earlier may have looked before the message was there; one that begins now covers it.
    for (let runs = 0; runs < 2 && !cursors.fits(cursor); runs++) await this.#run()
  }

  #run(): Promise<void> {
    return (this.#running ??= this.#bounded().finally(() => (this.#running = undefined)))
  }

  async #bounded(): Promise<void> {
    const { driver, clock } = this.#options
    let cancel: (() => void) | undefined
    try {
      await Promise.race([
        driver.catchUp?.(),
        new Promise((_, reject) => {
          cancel = clock.after(CATCH_UP_MS, () => reject(new Error('It takes too long.')))
        }),
      ])
    } catch (cause) {
      throw new StreamerError(
        'NOT_READY',
        'This replica has not read yet what comes before the cursor.',
        {
          driver: driver.name,
          cause,
        },
      )
    } finally {
      cancel?.()
    }
  }
}
