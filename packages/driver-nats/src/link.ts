import { connect, type ConnectionOptions, createInbox, ErrorCode, NatsError } from 'nats'
import type { NatsClient, NatsHeaders, NatsMessage, NatsStatus } from './nats-client.ts'
import { pause, persist, RETRY_MS, within } from './patience.ts'
import { Waiting } from './waiting.ts'

/** How a {@link Link} is made, and how long it waits. */
export interface LinkOptions {
  readonly connection: ConnectionOptions
  /** A connection that is not ours. */
  readonly client: NatsClient | undefined
  /** 0 waits for ever. */
  readonly startTimeoutMs: number
  /** For each answer of the broker. */
  readonly timeoutMs: number
  /** Ends all waiting. */
  readonly signal: AbortSignal
}

/** What happens to a {@link Link}. */
export interface LinkListener {
  lost(): void
  /** The client has reached a server again, and restored its own subscriptions. */
  back(): void
  /** The broker refused a message that this connection published to the subject. */
  refused(subject: string, error: Error): void
  /** The client gave up, or its owner closed it. */
  closed(error: Error | undefined): void
}

/** Reconnects at once and for ever, and notices a half-open connection within 20 s. */
const CONNECTION: ConnectionOptions = {
  maxReconnectAttempts: -1,
  reconnectTimeWait: 200,
  reconnectJitter: 50,
  reconnectJitterTLS: 50,
  // A server whose users are read anew refuses for a moment.
  ignoreAuthErrorAbort: true,
  pingInterval: 5_000,
  maxPingOut: 2,
  timeout: 5_000,
  noAsyncTraces: true,
}

/** How long the client may take to leave a connection that it called stale. */
const LEAVE_MS = 1_000

/** A connection, ours or not, and whether it reaches a server. */
export class Link {
  readonly #name: string
  readonly #options: LinkOptions
  readonly #answers = new Waiting()
  #client: NatsClient
  /** One that was given up, until another one takes its place. */
  #left: NatsClient | undefined
  #statuses: AsyncIterable<NatsStatus> & { stop?(): void }
  #online = true
  #closed = false
  #listener: LinkListener | undefined

  private constructor(client: NatsClient, name: string, options: LinkOptions) {
    this.#name = name
    this.#options = options
    this.#client = client
    this.#statuses = this.#attach()
    options.signal.addEventListener('abort', () => this.#answers.giveUp(closedError()))
  }

  /** Resolves once a server answers; throws the client's error after `startTimeoutMs`. */
  static async open(name: string, options: LinkOptions): Promise<Link> {
    const { client, signal, startTimeoutMs: timeoutMs } = options
    const reached = await persist(
      async (ms) => {
        if (client === undefined) return dial(name, ms, options)
        await within(client.flush(), Math.min(ms, options.timeoutMs), signal)
        return client
      },
      { timeoutMs, signal },
    )
    return new Link(reached, name, options)
  }

  /** Another one after some breaks. */
  get client(): NatsClient {
    return this.#client
  }

  /** Whether it reaches a server, for all that is known. */
  get online(): boolean {
    return this.#online
  }

  /** @throws {NatsError} `DISCONNECT`: what is published now would be dropped without a word */
  mustBeOnline(): void {
    if (!this.#online) throw NatsError.errorForCode(ErrorCode.Disconnect)
  }

  listen(listener: LinkListener): void {
    this.#listener = listener
  }

  /** Resolves once the server has handled all that was sent before. */
  flush(): Promise<void> {
    return this.#answers.of(this.client.flush(), this.#options.timeoutMs)
  }

  /** Asks whoever answers on a subject. */
  async request(
    subject: string,
    payload: Uint8Array,
    options: { headers?: NatsHeaders } = {},
  ): Promise<NatsMessage> {
    this.mustBeOnline()
    const timeout = this.#options.timeoutMs
    return this.#answers.of(this.client.request(subject, payload, { timeout, ...options }))
  }

  /** A subject that nobody else listens to. */
  inbox(): string {
    return createInbox(this.client.options?.inboxPrefix)
  }

  /** Leaves a connection that is not ours open. */
  async close(): Promise<void> {
    this.#closed = true
    this.#statuses.stop?.()
    if (this.#options.client === undefined) await this.client.close()
  }

  #attach(): AsyncIterable<NatsStatus> {
    const statuses = this.#client.status()
    void this.#watch(this.#client, statuses)
    void this.#untilClosed(this.#client)
    return statuses
  }

  async #watch(client: NatsClient, statuses: AsyncIterable<NatsStatus>): Promise<void> {
    for await (const status of statuses) {
      if (!this.#isCurrent(client)) return
      if (status.type === 'disconnect') this.#lost()
      else if (status.type === 'reconnect') this.#back()
      else if (status.type === 'staleConnection') void this.#leave(client)
      else if (status.type === 'error') this.#failed(status)
    }
  }

  async #untilClosed(client: NatsClient): Promise<void> {
    const error = await client.closed()
    if (!this.#isCurrent(client)) return
    this.#online = false
    this.#answers.giveUp(error ?? closedError())
    this.#listener?.closed(error ?? undefined)
  }

  /**
   * The client waits until what it wrote has left, before it gives a stale connection up: if that is more
   * than the network takes, it waits for ever. Then its place is taken by another one.
   */
  async #leave(client: NatsClient): Promise<void> {
    const { signal } = this.#options
    if (this.#options.client !== undefined) return
    await pause(LEAVE_MS, signal)
    if (!this.#isCurrent(client) || !this.#online) return
    this.#left = client
    this.#lost()
    void client.close().catch(() => {})
    while (!this.#closed && client === this.#client) {
      try {
        const next = await dial(this.#name, Infinity, this.#options)
        if (this.#closed) void next.close()
        else this.#replace(next)
      } catch {
        await pause(RETRY_MS, signal)
      }
    }
  }

  #isCurrent(client: NatsClient): boolean {
    return !this.#closed && client === this.#client && client !== this.#left
  }

  #replace(client: NatsClient): void {
    this.#statuses.stop?.()
    this.#client = client
    this.#statuses = this.#attach()
    this.#back()
  }

  /** Both are told several times for one outage. */
  #lost(): void {
    if (!this.#online) return
    this.#online = false
    this.#answers.giveUp(NatsError.errorForCode(ErrorCode.Disconnect))
    this.#listener?.lost()
  }

  #back(): void {
    if (this.#online) return
    this.#online = true
    this.#listener?.back()
  }

  #failed({ permissionContext, error }: NatsStatus): void {
    const { operation, subject } = permissionContext ?? error ?? {}
    if (operation !== 'publish' || subject === undefined) return
    this.#listener?.refused(
      subject,
      error ??
        new NatsError(
          `Permissions Violation for Publish to "${subject}"`,
          ErrorCode.PermissionsViolation,
        ),
    )
  }
}

function closedError(): NatsError {
  return NatsError.errorForCode(ErrorCode.ConnectionClosed)
}

async function dial(name: string, ms: number, options: LinkOptions): Promise<NatsClient> {
  const connecting = connect({
    name,
    ...CONNECTION,
    ...options.connection,
    // A replica hears its own messages too.
    noEcho: false,
  })
  try {
    return await within(connecting, ms, options.signal)
  } catch (error) {
    void connecting.then(
      (late) => late.close(),
      () => {},
    )
    throw error
  }
}
