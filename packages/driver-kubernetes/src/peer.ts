import { setTimeout as wait } from 'node:timers/promises'
import type { Answer } from './post.ts'
import type { Postman } from './postman.ts'

/** A message that is to be posted, as JSON that all peers share. */
export interface Numbered {
  readonly number: number
  readonly json: string
}

/** What a {@link Peer} needs of those around it. */
export interface PeerOptions {
  readonly address: string
  readonly postman: Postman
  /** The number of the last message. */
  readonly highest: () => number
  /** What a beat says beside that. */
  readonly beat: () => { readonly seen: Record<string, number>; readonly peers: string[] }
  readonly beatMs: number
  readonly maxQueueBytes: number
  /** It answered, and has all messages up to that number. */
  readonly onAnswer: (peer: Peer, answer: Answer, upTo: number) => void
  readonly onFailure: (peer: Peer, error: unknown) => void
}

const MAX_BATCH_BYTES = 1024 * 1024
const MAX_BATCH_MESSAGES = 1_000
/** What is queued for longer is dropped: its reader is told of a gap. */
const MAX_AGE_MS = 60_000
const MIN_BACKOFF_MS = 50
const MAX_BACKOFF_MS = 1_000

/** Another replica as this one posts to it: one post at a time, so that the order holds. */
export class Peer {
  readonly address: string
  /** Which replica is there. */
  sender: string | undefined
  /** When it posted something, on the monotonic clock. */
  heardAt: number = -Infinity
  /** Whether the last post to it came to nothing. */
  failing = false
  readonly #options: PeerOptions
  readonly #queue: (Numbered & { readonly at: number })[] = []
  readonly #ended = new AbortController()
  #waking = new AbortController()
  #queuedBytes = 0
  #active = false
  #greeting = false
  #pumping: Promise<void> | undefined
  #joined = 0
  #beatAt = -Infinity
  #failures = 0

  constructor(options: PeerOptions) {
    this.address = options.address
    this.#options = options
  }

  /** Whether messages are posted to it. */
  get active(): boolean {
    return this.#active
  }

  /** Begins or ends to post messages to it. */
  activate(active: boolean): void {
    if (this.#active === active) return
    this.#active = active
    this.renew()
    this.tick()
  }

  /** Begins anew, since another replica is at its address now. */
  renew(): void {
    this.#queue.length = 0
    this.#queuedBytes = 0
    this.#joined = this.#options.highest()
    this.#beatAt = -Infinity
  }

  /** Whether nothing is queued for it. */
  get isIdle(): boolean {
    return this.#queue.length === 0
  }

  /** Begins with what is queued for the same replica at another address. Only just after it was activated. */
  takeOver(other: Peer): void {
    if (other.isIdle) return
    this.#queue.push(...other.#queue)
    this.#queuedBytes = other.#queuedBytes
    this.#joined = other.#joined
  }

  /** Posts to it, a message or not, until it has answered, or is told to leave it. */
  greet(greeting = true): void {
    this.#greeting = greeting
    this.tick()
  }

  /** Queues a message; past the bound the oldest go. */
  add(message: Numbered): void {
    if (!this.#active) return
    const now = performance.now()
    this.#queue.push({ ...message, at: now })
    this.#queuedBytes += message.json.length
    while (
      this.#queue.length > 1 &&
      (this.#queuedBytes > this.#options.maxQueueBytes || this.#queue[0]!.at < now - MAX_AGE_MS)
    )
      this.#queuedBytes -= this.#queue.shift()!.json.length
    this.tick()
  }

  /** Posts what there is to post, unless it does so already. */
  tick(): void {
    if (this.#pumping !== undefined || !this.#isDue()) return
    this.#pumping = this.#pump().finally(() => {
      this.#pumping = undefined
      this.tick()
    })
  }

  /** Tries again at once what failed, since it was heard. */
  wake(): void {
    this.#waking.abort()
  }

  /** Resolves once nothing is queued, or it fails, or is ended. */
  async flushed(): Promise<void> {
    while (this.#queue.length > 0 && !this.failing && this.#pumping !== undefined)
      await this.#pumping
  }

  /** Tells it that no more comes, and that nothing is taken. */
  async bye(): Promise<void> {
    if (this.failing || this.sender === undefined) return
    this.#active = false
    await this.#pumping
    await this.#options.postman.post(this, this.#body([], { bye: true })).catch(() => {})
  }

  end(): void {
    this.#active = false
    this.#greeting = false
    this.#ended.abort()
    this.#options.postman.forget(this)
  }

  #isDue(): boolean {
    if (this.#ended.signal.aborted) return false
    if (this.#greeting) return true
    return this.#active && (this.#queue.length > 0 || this.#isBeatDue())
  }

  #isBeatDue(): boolean {
    // A little less, so that a timer of that length never passes one over.
    return performance.now() - this.#beatAt > this.#options.beatMs * 0.9
  }

  async #pump(): Promise<void> {
    // All messages of one turn of the event loop go in one post.
    await Promise.resolve()
    if (!this.#isDue()) return
    const batch = this.#batch()
    const upTo = batch.at(-1)?.number ?? 0
    const isBeat = this.#isBeatDue()
    try {
      const body = this.#body(batch, isBeat ? this.#options.beat() : {})
      const answer = await this.#options.postman.post(this, body)
      if (isBeat) this.#beatAt = performance.now()
      this.#posted(upTo)
      this.failing = false
      this.#failures = 0
      this.#greeting = false
      this.#options.onAnswer(this, answer, upTo)
    } catch (error) {
      if (this.#ended.signal.aborted) return
      this.failing = true
      this.#options.onFailure(this, error)
      await this.#backOff()
    }
  }

  #batch(): Numbered[] {
    if (!this.#active) return []
    const batch: Numbered[] = []
    let bytes = 0
    for (const message of this.#queue) {
      if (batch.length > 0 && bytes + message.json.length > MAX_BATCH_BYTES) break
      batch.push(message)
      bytes += message.json.length
      if (batch.length >= MAX_BATCH_MESSAGES) break
    }
    return batch
  }

  /** Takes from the queue what arrived; some of it may have been dropped meanwhile. */
  #posted(upTo: number): void {
    let count = 0
    while (count < this.#queue.length && this.#queue[count]!.number <= upTo)
      this.#queuedBytes -= this.#queue[count++]!.json.length
    this.#queue.splice(0, count)
  }

  #body(batch: readonly Numbered[], more: object): string {
    const first = batch[0]?.number ?? this.#queue[0]?.number ?? this.#options.highest() + 1
    const head = JSON.stringify({
      ...this.#options.postman.head,
      joined: this.#joined,
      first,
      ...more,
    })
    return `${head.slice(0, -1)},"messages":[${batch.map(({ json }) => json).join(',')}]}`
  }

  async #backOff(): Promise<void> {
    const ms = Math.min(MAX_BACKOFF_MS, MIN_BACKOFF_MS * 2 ** this.#failures++)
    const jittered = ms * (0.5 + Math.random() / 2)
    this.#waking = new AbortController()
    const signal = AbortSignal.any([this.#waking.signal, this.#ended.signal])
    await wait(jittered, undefined, { signal }).catch(() => {})
  }
}
