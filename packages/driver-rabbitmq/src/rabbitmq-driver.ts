import { CONTROL_PREFIX, type Driver, type OpenOptions, type Receiver } from '@asbru/core'
import { IllegalOperationError } from 'amqplib'
import { ExchangeFlow } from './exchange-flow.ts'
import type { RabbitmqSource } from './link.ts'
import type { QueueOptions } from './replica-queue.ts'
import { Session } from './session.ts'
import { StreamFlow } from './stream-flow.ts'
import type { StreamOptions } from './stream-queue.ts'

/** What a {@link rabbitmqDriver} may be told. */
export type RabbitmqDriverOptions = RabbitmqSource & {
  /** The topic exchange, to which the routing key of a message is its topic. @default 'asbru' */
  exchange?: string
  /** The queue of each replica, without `stream`. */
  queue?: QueueOptions
  /** A stream bound to the exchange, so that a break loses and repeats nothing. @default none */
  stream?: StreamOptions
  /** Whether an exchange or stream that is absent is made. @default true */
  create?: boolean
  /** How long `open` waits for a broker that is absent, in milliseconds; 0 for ever. @default 10_000 */
  startTimeoutMs?: number
}

/**
 * Relays the messages of a topic exchange of RabbitMQ: through a queue for each replica, which survives short
 * breaks, or through a stream that all replicas follow.
 *
 * @example
 * const streamer = new Streamer({ driver: rabbitmqDriver({ connection: 'amqp://127.0.0.1:5672' }) })
 */
export function rabbitmqDriver(options: RabbitmqDriverOptions = {}): Driver {
  const { exchange = 'asbru', queue = {}, stream, create = true, startTimeoutMs = 10_000 } = options
  const controlExchange = `${exchange}.control`
  const end = new AbortController()
  let opening: Promise<Session> | undefined
  let session: Session | undefined
  let receiver: Receiver | undefined
  let closing: Promise<void> | undefined

  return {
    name: 'rabbitmq',
    capabilities: {
      patterns: true,
      headers: true,
      positions: stream !== undefined,
      ordering: stream === undefined ? 'publisher' : 'topic',
      shared: true,
    },

    async open(to, open) {
      mustNotBeClosed()
      receiver = to
      opening = Session.open(to, {
        source: options,
        exchange,
        exchangeOf,
        create,
        startTimeoutMs,
        signal: end.signal,
        makeFlow: flowFor(open),
      })
      session = await opening
      mustNotBeClosed()
    },

    async subscribe(topic) {
      await opened().subscribe(topic)
    },

    async unsubscribe(topic) {
      await opened().unsubscribe(topic)
    },

    async publish(message) {
      await opened().publish(message)
    },

    ...(stream !== undefined && {
      async catchUp() {
        await opened().catchUp()
      },
    }),

    close() {
      return (closing ??= close())
    },
  }

  function flowFor(open: OpenOptions): (receiver: Receiver) => ExchangeFlow | StreamFlow {
    const { backlogMs = 0 } = open
    return (to) =>
      stream === undefined
        ? new ExchangeFlow({ receiver: to, open, exchange, queue })
        : new StreamFlow({ receiver: to, exchange, controlExchange, stream, create, backlogMs })
  }

  /** Without a stream, what replicas tell each other keeps its place among the data. */
  function exchangeOf(topic: string): string {
    return stream !== undefined && topic.startsWith(CONTROL_PREFIX) ? controlExchange : exchange
  }

  async function close(): Promise<void> {
    // What is open may be on its way still; only an open that is under way is broken off.
    end.abort()
    await (await opening?.catch(() => undefined))?.close()
    receiver?.status({ type: 'closed' })
  }

  function opened(): Session {
    mustNotBeClosed()
    if (session === undefined) throw new IllegalOperationError('The rabbitmq driver is not open.')
    return session
  }

  function mustNotBeClosed(): void {
    if (closing !== undefined) throw new IllegalOperationError('The rabbitmq driver was closed.')
  }
}
