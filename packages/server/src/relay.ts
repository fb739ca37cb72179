import { createServer, type Server } from 'node:http'
import { type Driver, type Logger, maskId, Streamer } from '@asbru/core'
import type { PeerHandler } from '@asbru/driver-kubernetes'
import { getRequestListener } from '@hono/node-server'
import { tokenCheck } from './access.ts'
import type { Config } from './config/schema.ts'
import { createDriver } from './drivers.ts'
import { internalApp, type InternalAppOptions } from './internal-app.ts'
import { closeServer, listen } from './listening.ts'
import { answerNotFound } from './problem.ts'
import { createStore } from './stores.ts'

/** Where the driver kubernetes takes posts; its package is loaded only by those who name it. */
const SEND_PATH = '/api/json/v1/send'

/** URLs of the event stream and of the HTTP API. */
export interface Listening {
  readonly events: string
  readonly api: string
}

/** A relay that serves. */
export interface Relay {
  readonly listening: Listening
  /** Ends all connections over `drainMs` while it still answers, and then the listeners. */
  close(): Promise<void>
}

/**
 * Starts a relay: connects to the broker, then opens both listeners. One of several workers says how metrics are rendered.
 * @throws {StreamerError} `BROKER_UNAVAILABLE`
 * @throws {Fault} if a port is taken
 */
export async function startRelay(
  config: Config,
  logger: Logger,
  renderMetrics?: InternalAppOptions['renderMetrics'],
): Promise<Relay> {
  const {
    host,
    port,
    internalHost,
    internalPort,
    apiToken,
    driver: driverConfig,
    store: storeConfig,
    logLevel: _,
    workers: __,
    ...options
  } = config
  let boundPort = internalPort
  const driver = await createDriver(driverConfig, {
    internalHost,
    internalPort,
    boundPort: () => boundPort,
  })
  const { beatMs, changeTimeoutMs, controlSecret } = options
  const shared = { beatMs, changeTimeoutMs, ...(controlSecret !== undefined && { controlSecret }) }
  const store = storeConfig && (await createStore(storeConfig, shared))
  const streamer = new Streamer({
    ...options,
    driver,
    ...(store !== undefined && { store }),
    logger,
    onConnect: ({ clientId, connection }) =>
      logger.debug({ client: maskId(clientId), connection: connection.id }, 'connected'),
    onDisconnect: ({ clientId, connection }) =>
      logger.debug({ client: maskId(clientId), connection: connection.id }, 'disconnected'),
  })
  const app = internalApp({ streamer, logger, apiToken, renderMetrics })
  const internal = internalServer(app.fetch, peersOf(driver), apiToken)
  const external = publicServer(streamer)
  const close = async (): Promise<void> => {
    await streamer.close()
    await Promise.all([closeServer(external), closeServer(internal)])
  }
  try {
    // Peers must be answered before the driver counts as open; nobody else is served yet.
    const serveApi = () =>
      listen(internal, { host: internalHost, port: internalPort, flag: '--internal-port' })
    const early = peersOf(driver) === undefined ? undefined : await serveApi()
    if (early !== undefined) boundPort = Number(new URL(early).port)
    await streamer.start()
    const api = early ?? (await serveApi())
    const events = await listen(external, { host, port, flag: '--port' })
    return { listening: { events: `${events}/events`, api: `${api}/v1` }, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** What answers the peers of a driver that has peers. */
function peersOf(driver: Driver): PeerHandler | undefined {
  return 'handler' in driver ? (driver.handler as PeerHandler) : undefined
}

function internalServer(
  fetch: (request: Request) => Response | Promise<Response>,
  peers: PeerHandler | undefined,
  apiToken: string | undefined,
): Server {
  const answer = getRequestListener(fetch)
  const carriesToken = tokenCheck(apiToken ?? '')
  return createServer((request, response) => {
    if (peers === undefined || request.url !== SEND_PATH) return void answer(request, response)
    const hasToken = apiToken !== undefined && carriesToken(request.headers.authorization)
    return void peers(request, response, { hasToken })
  })
}

function publicServer({ listener }: Streamer): Server {
  return createServer((request, response) => {
    if (request.url?.split('?', 1)[0] === '/events') listener(request, response)
    else void answerNotFound(response, 'This listener serves /events only.')
  })
}
