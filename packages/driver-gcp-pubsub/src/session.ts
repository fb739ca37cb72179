import { setTimeout as wait } from 'node:timers/promises'
import type { OpenOptions, Receiver } from '@asbru/core'
import type { Message } from '@google-cloud/pubsub'
import { once } from './call-options.ts'
import { BEAT_MS, Janitor, SWEEP_MS } from './janitor.ts'
import type { Link } from './link.ts'
import { RecentIds } from './recent-ids.ts'
import { ReplicaSubscription, RETENTION_MS } from './replica-subscription.ts'
import { codeOf, isNotFound, isPassing, StatusCode } from './status-code.ts'

/** What a {@link Session} works with. */
export interface SessionOptions extends OpenOptions {
  readonly link: Link
  readonly receiver: Receiver
  readonly create: boolean
  readonly timeoutMs: number
  /** Is told each message once. */
  readonly onMessage: (message: Message) => void
}

/** After so long without a message, Pub/Sub is asked whether the subscription holds. */
const CHECK_MS = 10_000
const LOOK_MS = 5_000
const FIRST_RETRY_MS = 100
const MAX_RETRY_MS = 1_000
/** Between attempts that only a person can help, such as after a permission was taken away. */
const REFUSED_RETRY_MS = 5_000
/** Pub/Sub delivers again what was not acknowledged within ten seconds. So many messages are told apart at least. */
const REMEMBERED_MESSAGES = 50_000
const CLOSE_MS = 2_000

/** Keeps this replica subscribed from `start` to `stop`, whatever becomes of the connection or the subscription. */
export class Session {
  readonly #options: SessionOptions
  readonly #subscription: ReplicaSubscription
  readonly #janitor: Janitor
  readonly #recent = new RecentIds(REMEMBERED_MESSAGES)
  readonly #over = new AbortController()
  #heard = performance.now()
  #isDoubted = false
  #end: { readonly error: unknown } | undefined
  /** Settles when all that goes on beside the messages has ended. */
  #work: Promise<unknown> = Promise.resolve()
  #watching: Promise<void> | undefined

  constructor(options: SessionOptions) {
    const { link, timeoutMs } = options
    this.#options = options
    this.#subscription = new ReplicaSubscription({
      ...options,
      onMessage: (message) => this.#receive(message),
      onDoubt: () => this.doubt(),
      onEnd: (error) => {
        this.#end = { error }
        this.doubt()
      },
    })
    this.#janitor = new Janitor({
      namespace: options.namespace,
      async list() {
        const [subscriptions] = await link.pubsub.getSubscriptions({ gaxOpts: once(timeoutMs) })
        return subscriptions.map(({ name, metadata }) => ({ name, labels: metadata?.labels ?? {} }))
      },
      remove: async (name) => void (await link.pubsub.subscription(name).delete(once(timeoutMs))),
    })
  }

  /** Rejects with the client's error if there is no service within so many milliseconds; 0 is for ever. */
  start(timeoutMs: number): Promise<void> {
    const starting = this.#start(timeoutMs)
    this.#work = starting.catch(() => {})
    return starting
  }

  /** Looks whether all holds, at once. */
  doubt(): void {
    this.#isDoubted = true
    this.#watching ??= this.#watch()
  }

  /** Removes the subscription, if anybody answers. */
  async stop(): Promise<void> {
    const { link } = this.#options
    this.#over.abort()
    this.#subscription.stopListening()
    await this.#work
    this.#subscription.stopListening()
    await link.flush(CLOSE_MS)
    await this.#subscription.remove(CLOSE_MS).catch(() => {})
    await link.close()
  }

  async #start(timeoutMs: number): Promise<void> {
    const { link, receiver } = this.#options
    const end = timeoutMs === 0 ? Infinity : performance.now() + timeoutMs
    if (timeoutMs > 0) this.#subscription.timeoutMs = Math.min(this.#options.timeoutMs, timeoutMs)
    for (let delay = FIRST_RETRY_MS; ; delay = Math.min(2 * delay, MAX_RETRY_MS)) {
      try {
        await link.prepare()
        await this.#subscription.make()
        // What is not permitted shall stop the start, and not show only later.
        await this.#subscription.beat()
        await this.#subscription.holds()
        break
      } catch (error) {
        if (!isPassing(error) || performance.now() + delay > end) throw error
        if (isTimeout(error)) await link.replace()
        await wait(delay, undefined, { signal: this.#over.signal })
      }
    }
    this.#over.signal.throwIfAborted()
    this.#subscription.timeoutMs = this.#options.timeoutMs
    this.#heard = performance.now()
    this.#subscription.listen()
    receiver.status({ type: 'connected' })
    this.#work = Promise.all([
      this.#every(LOOK_MS, () => this.#look()),
      this.#every(BEAT_MS, () => this.#subscription.beat()),
      this.#every(SWEEP_MS, () => this.#janitor.sweep()),
    ])
  }

  /** Until the session is over; what fails is done again the next time. */
  async #every(ms: number, task: () => Promise<void>): Promise<void> {
    const { signal } = this.#over
    while (!signal.aborted) {
      await wait(ms, undefined, { signal }).catch(() => {})
      if (!signal.aborted) await task().catch(() => {})
    }
    await this.#watching
  }

  async #look(): Promise<void> {
    if (performance.now() - this.#heard >= CHECK_MS) this.doubt()
    await this.#watching
  }

  #receive(message: Message): void {
    this.#heard = performance.now()
    if (this.#recent.add(message.id)) this.#options.onMessage(message)
  }

  async #watch(): Promise<void> {
    while (this.#isDoubted && !this.#over.signal.aborted) {
      this.#isDoubted = false
      const fault = await this.#fault()
      if (fault !== undefined) await this.#recover(fault.error)
    }
    this.#watching = undefined
  }

  /** What is wrong, if anything is. */
  async #fault(): Promise<{ error: unknown } | undefined> {
    try {
      if (!(await this.#subscription.holds())) return { error: undefined }
    } catch (error) {
      return { error }
    }
    if (!this.#subscription.isListening) return this.#end ?? { error: undefined }
    this.#heard = performance.now()
    return undefined
  }

  /** Until everything holds again. */
  async #recover(fault: unknown): Promise<void> {
    const { receiver } = this.#options
    const { signal } = this.#over
    if (signal.aborted) return
    receiver.status({ type: 'reconnecting', ...(fault !== undefined && { error: fault }) })
    const lost = { messages: false }
    let error = fault
    for (let delay = FIRST_RETRY_MS; !signal.aborted; delay = Math.min(2 * delay, MAX_RETRY_MS)) {
      if (isTimeout(error)) await this.#replaceClient()
      const isRefused = error !== undefined && !isPassing(error) && !isNotFound(error)
      const pause = isRefused ? REFUSED_RETRY_MS : delay
      await wait(pause, undefined, { signal }).catch(() => {})
      if (signal.aborted) return
      try {
        await this.#restore(lost)
        return
      } catch (failure) {
        error = failure
      }
    }
  }

  async #restore(lost: { messages: boolean }): Promise<void> {
    const { link, receiver } = this.#options
    if (!(await this.#subscription.holds())) {
      lost.messages = true
      this.#subscription.stopListening()
      await this.#subscription.make()
    }
    await link.reachToPublish()
    if (this.#over.signal.aborted) return
    if (performance.now() - this.#heard > RETENTION_MS) lost.messages = true
    this.#heard = performance.now()
    if (lost.messages) receiver.status({ type: 'gap', reason: 'messages-dropped' })
    if (!this.#subscription.isListening) this.#subscription.listen()
    receiver.status({ type: 'connected' })
  }

  async #replaceClient(): Promise<void> {
    if (!this.#options.link.isReplaceable) return
    this.#subscription.stopListening()
    await this.#options.link.replace()
  }
}

/** Whether nobody answered at all, as when a connection is dead and does not know it. */
function isTimeout(error: unknown): boolean {
  return codeOf(error) === StatusCode.deadlineExceeded
}
