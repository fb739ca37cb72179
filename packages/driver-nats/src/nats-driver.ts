import type { Driver, OpenOptions, Receiver } from '@asbru/core'
import { type ConnectionOptions, ErrorCode, NatsError } from 'nats'
import type { Flow } from './flow.ts'
import type { NatsClient } from './nats-client.ts'
import { Session } from './session.ts'
import { type JetStreamOptions, streamNameOf } from './stream.ts'
import { prefixOf } from './subjects.ts'

/** What a {@link natsDriver} may be told. */
export interface NatsDriverOptions {
  /** How the driver connects: options of the package `nats`. @default nats://127.0.0.1:4222 */
  connection?: ConnectionOptions
  /** A connection of `nats` 2 or of `@nats-io/transport-node`, in place of `connection`; it is left open. */
  client?: NatsClient
  /** Stands before each topic to make its subject; ends with a dot. @default none; `events.` with `jetstream` */
  prefix?: string
  /** A stream that holds the messages, so that a break loses none of them. @default none */
  jetstream?: JetStreamOptions
  /** Whether a stream that is absent is made. @default true */
  create?: boolean
  /** How long `open` waits for a broker that is absent, in milliseconds; 0 for ever. @default 10_000 */
  startTimeoutMs?: number
  /** How long one answer of the broker may take, such as to a publish, in milliseconds. @default 5_000 */
  timeoutMs?: number
}

/**
 * Relays subjects of NATS: the topic `orders.42` is the subject `orders.42`, behind `prefix` if there is one.
 * After a lost connection it tells a gap, unless a stream of JetStream captured what was missed.
 *
 * @example
 * const streamer = new Streamer({ driver: natsDriver({ connection: { servers: 'nats://127.0.0.1:4222' } }) })
 */
export function natsDriver(options: NatsDriverOptions = {}): Driver {
  const { connection = {}, client, startTimeoutMs = 10_000, timeoutMs = 5_000 } = options
  if (client !== undefined && options.connection !== undefined)
    throw new TypeError('natsDriver takes a connection or a client, not both.')
  const { create = true } = options
  const jetstream = options.jetstream && {
    ...options.jetstream,
    stream: streamNameOf(options.jetstream.stream),
    create,
  }
  const prefix = prefixOf(options.prefix ?? (jetstream === undefined ? '' : 'events.'))
  const end = new AbortController()
  let opening: Promise<Session> | undefined
  let session: Session | undefined
  let closing: Promise<void> | undefined

  return {
    name: 'nats',
    capabilities: {
      patterns: true,
      headers: true,
      positions: jetstream !== undefined,
      ordering: jetstream === undefined ? 'publisher' : 'topic',
      shared: true,
    },

    async open(receiver, open) {
      mustNotBeClosed()
      opening = start(receiver, open)
      session = await opening
      mustNotBeClosed()
    },

    async subscribe(topic) {
      await openFlow().subscribe(topic)
    },

    async unsubscribe(topic) {
      await openFlow().unsubscribe(topic)
    },

    // Without a promise of its own for each message: they cost more than all else here.
    publish(message) {
      try {
        return openFlow().publish(message)
      } catch (error) {
        return rejected(error as Error)
      }
    },

    ...(jetstream !== undefined && {
      async catchUp() {
        await openFlow().catchUp!()
      },
    }),

    close() {
      return (closing ??= close())
    },
  }

  function start(receiver: Receiver, open: OpenOptions): Promise<Session> {
    const { signal } = end
    return Session.open(receiver, open, {
      connection,
      client,
      prefix,
      jetstream,
      backlogMs: open.backlogMs ?? 0,
      startTimeoutMs,
      timeoutMs,
      signal,
    })
  }

  async function close(): Promise<void> {
    // What is open may be on its way still; only an open that is under way is broken off.
    if (session === undefined) end.abort()
    const opened = await opening?.catch(() => undefined)
    await opened?.close()
    end.abort()
  }

  function openFlow(): Flow {
    mustNotBeClosed()
    if (session === undefined) throw new Error('The NATS driver is not open.')
    return session.flow
  }

  function mustNotBeClosed(): void {
    if (closing !== undefined) throw NatsError.errorForCode(ErrorCode.ConnectionClosed)
  }
}

async function rejected(error: Error): Promise<never> {
  throw error
}
