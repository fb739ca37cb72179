import { Streamer } from '@asbru/core'
import { memoryBroker, memoryDriver } from '@asbru/driver-memory'
import { events } from '@asbru/hono'
import { createAdaptorServer } from '@hono/node-server'
import { Hono } from 'hono'
import { listening } from '../listening.ts'
import type { Contestant } from './contestant.ts'

/** Asbru mounted in a Hono app, as the README shows it; fed at its broker, as by any other publisher. */
export async function start(): Promise<Contestant> {
  const broker = memoryBroker()
  const streamer = new Streamer({ driver: memoryDriver({ broker }) })
  const app = new Hono()
  app.all('/events', events(streamer))
  return {
    port: await listening(createAdaptorServer({ fetch: app.fetch })),
    path: '/events?id=c%d',
    publish: (topic, payload) => broker.publish({ topic, payload }),
    receivers: async () => (await streamer.status()).connections,
    async prepare({ connections, first }) {
      for (let i = first; i < first + connections; i++)
        await streamer.newClient({ id: `c${i}`, topics: ['T0'] })
    },
  }
}
