import type { OutgoingMessage } from '@asbru/core'
import { connect, headers, type NatsConnection } from 'nats'

/** A program that knows nothing of Asbru but the names of its headers. */
export interface PlainPublisher {
  readonly connection: NatsConnection
  publish(message: OutgoingMessage): Promise<void>
  close(): Promise<void>
}

/** Connects it to a broker; it comes back after every break. */
export async function plainPublisher(
  { url }: { readonly url: string },
  prefix = '',
): Promise<PlainPublisher> {
  const connection = await connect({
    servers: url,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 50,
  })
  return {
    connection,
    async publish({ topic, payload, event, id }) {
      const made = headers()
      if (event !== undefined) made.set('Asbru-Event', event)
      if (id !== undefined) made.set('Asbru-Id', id)
      connection.publish(prefix + topic, payload, { headers: made })
      await connection.flush()
    },
    close: () => connection.close(),
  }
}
