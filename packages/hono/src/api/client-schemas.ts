import type { Client } from '@asbru/core'
import { z } from '@hono/zod-openapi'

/** A client as it was made. */
export interface NewClientAnswer {
  id: string
  ttlMs: number
  topics: string[]
  metadata: Record<string, unknown>
}

/** A client as it is now. */
export interface ClientAnswer extends NewClientAnswer {
  connected: boolean
  connections: { replica: string; since: string }[]
}

const made = z.object({
  id: z.string().openapi({
    description: 'Whoever knows it may connect as the client. Lists show its beginning only.',
    example: '9ba6f4e1-4f0a-4a55-9b60-8f6a8a1a2b3c',
  }),
  ttlMs: z.int().openapi({ description: 'How long it lives without a connection.' }),
  topics: z.array(z.string()).openapi({ example: ['orders.42', 'pets.**'] }),
  metadata: z.record(z.string(), z.unknown()),
})

const connection = z.object({
  replica: z.string(),
  since: z.iso.datetime().openapi({ description: 'When it was opened.' }),
})

/** Schema of {@link NewClientAnswer}. */
export const newClientSchema: z.ZodType<NewClientAnswer> = made.openapi('NewClient')

/** Schema of {@link ClientAnswer}. */
export const clientSchema: z.ZodType<ClientAnswer> = made
  .extend({ connected: z.boolean(), connections: z.array(connection) })
  .openapi('Client')

/** What is answered for a client that was just made. */
export function newClientAnswer(client: Client, shownId: string = client.id): NewClientAnswer {
  const { ttlMs, topics, metadata } = client
  return { id: shownId, ttlMs, topics: [...topics], metadata: { ...metadata } }
}

/** What is answered for a client; lists do not show its whole id. */
export function clientAnswer(client: Client, shownId?: string): ClientAnswer {
  return {
    ...newClientAnswer(client, shownId),
    connected: client.connected,
    connections: client.connections.map(({ replica, since }) => ({
      replica,
      since: new Date(since).toISOString(),
    })),
  }
}
