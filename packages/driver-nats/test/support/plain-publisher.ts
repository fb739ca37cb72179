import type { OutgoingMessage } from '@asbru/core'
import { connect, headers, type NatsConnection } from 'nats'

/** A program that knows nothing of Asbru but the names of its headers. */
export interface PlainPublisher {
  readonly connection: NatsConnection
  /** Publishes to subjects behind a prefix, and waits until the server has the message. */
  publishTo(prefix: string): (message: OutgoingMessage) => Promise<void>
  close(): Promise<void>
}

/** Connects it to a broker; it comes back after every break. */
export async function plainPublisher({ url }: { readonly url: string }): Promise<PlainPublisher> {
  const connection = await connect({
    servers: url,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 50,
  })
  return {
    connection,
    publishTo:
      (prefix) =>
      async ({ topic, payload, event, id }) => {
        const made = headers()
        if (event !== undefined) made.set('Asbru-Event', event)
        if (id !== undefined) made.set('Asbru-Id', id)
        connection.publish(prefix + topic, payload, { headers: made })
        await connection.flush()
      },
    close: () => connection.close(),
  }
}
