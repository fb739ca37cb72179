import { createServer } from 'node:http'
import { listening } from '../listening.ts'
import type { Contestant } from './contestant.ts'
import { relay } from './relay.ts'

/** Asbru without a framework. */
export async function start(): Promise<Contestant> {
  const { streamer, contestant } = relay()
  return { ...contestant, port: await listening(createServer(streamer.listener)) }
}
