import { createServer, type Server } from 'node:http'
import { type Logger, maskId, Streamer } from '@asbru/core'
import { createAdaptorServer } from '@hono/node-server'
import type { Config } from './config/schema.ts'
import { createDriver } from './drivers.ts'
import { internalApp } from './internal-app.ts'
import { closeServer, listen } from './listening.ts'
import { answerNotFound } from './problem.ts'

/** A relay that serves. */
export interface Relay {
  /** Where it serves the event stream and the HTTP API. */
  readonly listening: { readonly events: string; readonly api: string }
  /** Ends all connections over `drainMs` while it still answers, and then the listeners. */
  close(): Promise<void>
}

/**
 * Starts a relay: connects to the broker, then opens both listeners.
 * @throws {StreamerError} `BROKER_UNAVAILABLE`
 * @throws {Fault} if a port is taken
 */
export async function startRelay(config: Config, logger: Logger): Promise<Relay> {
  const {
    host,
    port,
    internalHost,
    internalPort,
    apiToken,
    driver,
    logLevel: _,
    ...options
  } = config
  const streamer = new Streamer({
    ...options,
    driver: await createDriver(driver),
    logger,
    onConnect: ({ clientId, connection }) =>
      logger.debug({ client: maskId(clientId), connection: connection.id }, 'connected'),
    onDisconnect: ({ clientId, connection }) =>
      logger.debug({ client: maskId(clientId), connection: connection.id }, 'disconnected'),
  })
  const app = internalApp({ streamer, logger, apiToken })
  const internal = createAdaptorServer({ fetch: app.fetch }) as Server
  const external = publicServer(streamer)
  const close = async (): Promise<void> => {
    await streamer.close()
    await Promise.all([closeServer(external), closeServer(internal)])
  }
  try {
    await streamer.start()
    const api = await listen(internal, {
      host: internalHost,
      port: internalPort,
      flag: '--internal-port',
    })
    const events = await listen(external, { host, port, flag: '--port' })
    return { listening: { events: `${events}/events`, api: `${api}/v1` }, close }
  } catch (error) {
    await close()
    throw error
  }
}

function publicServer({ listener }: Streamer): Server {
  return createServer((request, response) => {
    if (request.url?.split('?', 1)[0] === '/events') listener(request, response)
    else void answerNotFound(response, 'This listener serves /events only.')
  })
}
