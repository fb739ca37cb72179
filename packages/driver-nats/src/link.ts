import { connect, type ConnectionOptions, createInbox, ErrorCode, NatsError } from 'nats'
import type { NatsClient, NatsHeaders, NatsMessage, NatsStatus } from './nats-client.ts'
import { persist, within } from './patience.ts'

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

/** A connection, ours or not, and whether it reaches a server. */
export class Link {
  readonly client: NatsClient
  readonly #options: LinkOptions
  readonly #statuses: AsyncIterable<NatsStatus> & { stop?(): void }
  #online = true
  #listener: LinkListener | undefined

  private constructor(client: NatsClient, options: LinkOptions) {
    this.client = client
    this.#options = options
    this.#statuses = client.status()
    void this.#watch()
    void this.#untilClosed()
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
    return new Link(reached, options)
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
    const { timeoutMs, signal } = this.#options
    return within(this.client.flush(), timeoutMs, signal)
  }

  /** Asks whoever answers on a subject. */
  request(
    subject: string,
    payload: Uint8Array,
    options: { headers?: NatsHeaders } = {},
  ): Promise<NatsMessage> {
    const { timeoutMs, signal } = this.#options
    const answer = this.client.request(subject, payload, { timeout: timeoutMs, ...options })
    return within(answer, timeoutMs, signal)
  }

  /** A subject that nobody else listens to. */
  inbox(): string {
    return createInbox(this.client.options?.inboxPrefix)
  }

  /** Leaves a connection that is not ours open. */
  async close(): Promise<void> {
    this.#listener = undefined
    this.#statuses.stop?.()
    if (this.#options.client === undefined) await this.client.close()
  }

  async #watch(): Promise<void> {
    for await (const status of this.#statuses) {
      if (status.type === 'disconnect') this.#lost()
      else if (status.type === 'reconnect') this.#back()
      else if (status.type === 'error') this.#failed(status)
    }
  }

  async #untilClosed(): Promise<void> {
    const error = await this.client.closed()
    this.#online = false
    this.#listener?.closed(error ?? undefined)
  }

  /** Both are told several times for one outage. */
  #lost(): void {
    if (!this.#online) return
    this.#online = false
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
