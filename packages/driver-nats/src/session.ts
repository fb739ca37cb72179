import type { DriverStatus, OpenOptions, Receiver } from '@asbru/core'
import { CoreFlow } from './core-flow.ts'
import type { Flow } from './flow.ts'
import type { JetStreamOptions } from './stream.ts'
import { StreamFlow } from './stream-flow.ts'
import { Link, type LinkOptions } from './link.ts'
import { pause, persist, RETRY_MS, within } from './patience.ts'

/** What a {@link Session} is opened with. */
export interface SessionOptions extends LinkOptions {
  readonly prefix: string
  /** From how long ago on a stream is handed over, in milliseconds. */
  readonly backlogMs: number
  readonly jetstream: (JetStreamOptions & { readonly create: boolean }) | undefined
}

/** How long a broker that may be out of reach is waited for at the end. */
const FAREWELL_MS = 1_000

/** A driver from the first connection to its close: passes on what happens, and sees to it that it goes on. */
export class Session {
  readonly flow: Flow
  readonly #link: Link
  readonly #receiver: Receiver
  readonly #signal: AbortSignal
  #told: DriverStatus['type'] | undefined
  #isStarted = false
  /** Counts the breaks, so that what was begun before one ends at it. */
  #breaks = 0

  private constructor(link: Link, receiver: Receiver, options: SessionOptions) {
    this.#link = link
    this.#receiver = receiver
    this.#signal = options.signal
    const { prefix, jetstream, backlogMs } = options
    this.flow =
      jetstream === undefined
        ? new CoreFlow({ link, receiver, prefix, tellsGaps: true })
        : new StreamFlow({
            link,
            receiver,
            prefix,
            jetstream,
            backlogMs,
            onBroken: () => {
              if (this.#isStarted) void this.#restore()
            },
          })
  }

  /** Resolves once the broker has all that is needed; throws what is in the way after `startTimeoutMs`. */
  static async open(
    receiver: Receiver,
    { replica }: OpenOptions,
    options: SessionOptions,
  ): Promise<Session> {
    const { startTimeoutMs: timeoutMs, signal } = options
    const link = await Link.open(`asbru ${replica}`, options)
    const session = new Session(link, receiver, options)
    try {
      await persist(() => session.#start(), { timeoutMs, signal })
    } catch (error) {
      await within(session.flow.stop(), FAREWELL_MS, signal).catch(() => {})
      await link.close()
      throw error
    }
    return session
  }

  /** Hands over nothing from its call on. */
  async close(): Promise<void> {
    this.#breaks++
    await within(this.flow.stop(), FAREWELL_MS, this.#signal).catch(() => {})
    await this.#link.close()
    this.#tell({ type: 'closed' })
  }

  async #start(): Promise<void> {
    await within(this.flow.start(), Infinity, this.#signal)
    this.#link.mustBeOnline()
    this.#isStarted = true
    this.#link.listen({
      lost: () => this.#lost(),
      back: () => void this.#restore(),
      refused: (subject, error) => this.flow.refused(subject, error),
      closed: (error) => this.#tell({ type: 'closed', ...(error && { error }) }),
    })
    this.#tell({ type: 'connected' })
  }

  #lost(): void {
    this.#breaks++
    this.flow.lost()
    this.#tell({ type: 'reconnecting' })
  }

  async #restore(): Promise<void> {
    const breaks = ++this.#breaks
    const isOver = (): boolean => breaks !== this.#breaks
    while (!isOver()) {
      try {
        await this.flow.restore()
        if (!isOver()) this.#tell({ type: 'connected' })
        return
      } catch (error) {
        if (isOver()) return
        this.#tell({ type: 'reconnecting', error })
      }
      await pause(RETRY_MS, this.#signal)
    }
  }

  #tell(status: DriverStatus): void {
    if (status.type === this.#told || this.#told === 'closed') return
    this.#told = status.type
    this.#receiver.status(status)
  }
}
