import { events } from '@asbru/hono'
import { createAdaptorServer } from '@hono/node-server'
import { Hono } from 'hono'
import type { Server } from 'node:net'
import { listening } from '../listening.ts'
import type { Contestant } from './contestant.ts'
import { relay } from './relay.ts'

/** Asbru mounted in a Hono app, as the README shows it. */
export async function start(): Promise<Contestant> {
  const { streamer, contestant } = relay()
  const app = new Hono()
  app.all('/events', events(streamer))
  const server = createAdaptorServer({ fetch: app.fetch }) as Server
  return { ...contestant, port: await listening(server) }
}
