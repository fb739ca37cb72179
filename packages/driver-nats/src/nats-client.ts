/** What the driver uses of a connection. Those of `nats` 2 and of `@nats-io/transport-node` have it. */
export interface NatsClient {
  readonly options?: { readonly inboxPrefix?: string }
  publish(subject: string, payload?: Uint8Array, options?: { headers?: NatsHeaders }): void
  subscribe(
    subject: string,
    options: { queue?: string; callback: (error: Error | null, message: NatsMessage) => void },
  ): NatsSubscription
  request(
    subject: string,
    payload?: Uint8Array,
    options?: { timeout: number; headers?: NatsHeaders },
  ): Promise<NatsMessage>
  flush(): Promise<void>
  status(): AsyncIterable<NatsStatus>
  closed(): Promise<void | Error>
  close(): Promise<void>
}

/** A message as both clients hand it over. */
export interface NatsMessage {
  readonly subject: string
  readonly reply?: string
  readonly data: Uint8Array
  readonly headers?: NatsHeaders
}

/** Headers of either client. */
export interface NatsHeaders {
  /** Of the server's own messages; 0 for others. */
  readonly code: number
  /** Empty if it is absent. */
  get(name: string): string
}

/** A subscription of either client. */
export interface NatsSubscription {
  unsubscribe(): void
  /** Ends it at the server first, and hands over what is under way. */
  drain(): Promise<void>
}

/** What a client tells of its connection; the fields depend on the type and the client. */
export interface NatsStatus {
  readonly type: string
  /** Of `nats` 2, with an `error` that is a violation of permissions. */
  readonly permissionContext?: { readonly operation: string; readonly subject: string }
  /** Of `@nats-io/transport-node`, with an `error`. */
  readonly error?: Error & { readonly operation?: string; readonly subject?: string }
}
