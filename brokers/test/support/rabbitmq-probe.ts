import { connect, type ConfirmChannel } from 'amqplib'
import type { Probe } from './probes.ts'

/** A persistent message in a durable queue. */
export const rabbitmqProbe: Probe = {
  store: ({ url }, value) =>
    withQueue(url, async (channel) => {
      channel.sendToQueue('probe', Buffer.from(value), { persistent: true })
      await channel.waitForConfirms()
    }),
  find: ({ url }) =>
    withQueue(url, async (channel) => {
      const message = await channel.get('probe')
      return message === false ? undefined : message.content.toString()
    }),
}

async function withQueue<T>(url: string, use: (channel: ConfirmChannel) => Promise<T>): Promise<T> {
  const connection = await connect(url)
  try {
    const channel = await connection.createConfirmChannel()
    await channel.assertQueue('probe', { durable: true })
    return await use(channel)
  } finally {
    await connection.close()
  }
}
