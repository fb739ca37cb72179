import type { Redis } from 'ioredis'

const PING_EVERY_MS = 5_000
/** One may be late because this process was busy. */
const UNANSWERED_PINGS = 2

/** Whom a link tells of its connection. */
export interface LinkEvents {
  /** Commands may be sent, on a connection that has no subscriptions. */
  ready(): void
  /** The connection is lost, and is being made again. */
  lost(error: unknown): void
}

/** A connection that is made again whenever it is lost, also when the other end only fell silent. */
export class Link {
  readonly redis: Redis
  #error: Error | undefined
  #pinging: NodeJS.Timeout | undefined
  #unanswered = 0
  #abandonStart = (): void => {}

  constructor(redis: Redis, events: LinkEvents) {
    this.redis = redis
    let isReady = false
    redis.on('error', (error: Error) => {
      this.#error = error
    })
    redis.on('ready', () => {
      isReady = true
      this.#unanswered = 0
      events.ready()
    })
    redis.on('close', () => {
      if (!isReady) return
      isReady = false
      events.lost(this.#error)
      this.#error = undefined
    })
  }

  get isReady(): boolean {
    return this.redis.status === 'ready'
  }

  /** Resolves once connected; rejects after `timeoutMs` (0: never) with what stood in the way. */
  async start(timeoutMs: number): Promise<void> {
    const { redis } = this
    this.#pinging = setInterval(() => void this.#ping(), PING_EVERY_MS).unref()
    let timer: NodeJS.Timeout | undefined
    try {
      await new Promise<void>((resolve, reject) => {
        if (timeoutMs > 0) timer = setTimeout(() => reject(this.#fault(timeoutMs)), timeoutMs)
        redis.once('ready', resolve)
        this.#abandonStart = () => reject(new Error('The driver was closed while it connected.'))
        // It is tried again by itself; what went wrong comes as an `error`.
        redis.connect().catch(() => {})
      })
    } finally {
      clearTimeout(timer)
    }
  }

  /** Writes what is sent in this turn of the event loop at once: a write for each command takes most of its time. */
  gather(): void {
    const { stream } = this.redis
    if (stream === undefined || stream.writableCorked > 0) return
    stream.cork()
    setImmediate(() => stream.uncork())
  }

  /** Takes the connection for dead. */
  drop(): void {
    if (this.isReady) this.redis.disconnect(true)
  }

  /** Closes the connection, and resolves once it is closed. */
  async end(): Promise<void> {
    clearInterval(this.#pinging)
    this.#abandonStart()
    const { redis } = this
    // One that waits for its next attempt ends without a word.
    const open = ['connecting', 'connect', 'ready'].includes(redis.status)
    const ended = open ? new Promise((resolve) => redis.once('end', resolve)) : undefined
    redis.disconnect()
    await ended
  }

  async #ping(): Promise<void> {
    if (!this.isReady) return
    try {
      await this.redis.ping()
      this.#unanswered = 0
    } catch {
      if (++this.#unanswered >= UNANSWERED_PINGS) this.drop()
    }
  }

  #fault(timeoutMs: number): Error {
    return this.#error ?? new Error(`Redis did not answer within ${timeoutMs} ms.`)
  }
}
