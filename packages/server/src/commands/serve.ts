import { randomUUID } from 'node:crypto'
import type { Logger } from '@asbru/core'
import type { LoadedConfig } from '../config/load-config.ts'
import type { Config } from '../config/schema.ts'
import { createLogger } from '../logger.ts'
import { endOnUncaught, stopSignal } from '../process-end.ts'
import { type Listening, type Relay, startRelay } from '../relay.ts'
import { thisWorker, type Worker } from '../workers/worker.ts'
import { Workers } from '../workers/workers.ts'

/** `asbru serve`: relays until it is told to stop, and drains. */
export async function serve({ config, warnings }: LoadedConfig): Promise<void> {
  const worker = thisWorker()
  const logger = createLogger(config.logLevel, worker?.name)
  endOnUncaught(logger)
  if (worker !== undefined) return serveAsWorker(worker, config, logger)
  for (const warning of warnings) logger.warn({}, warning)
  const stopped = stopSignal()
  if (config.workers > 1) return serveByWorkers(stopped, config, logger)
  const { drainMs } = config
  await relayUntil(stopped, startRelay(config, logger), { drainMs, logger, onServing: say })
}

/** Relays as one of several processes. */
async function serveAsWorker(worker: Worker, config: Config, logger: Logger): Promise<void> {
  const { name, stopped } = worker
  const started = startRelay({ ...config, name }, logger, (metrics) => worker.share(metrics))
  try {
    await relayUntil(Promise.race([stopped, stopSignal()]), started, {
      drainMs: config.drainMs,
      logger,
      onServing: (listening) => worker.serves(listening),
    })
  } finally {
    worker.leave()
  }
}

/** What is to be known of a relay while it starts and stops. */
interface RelayRun {
  readonly drainMs: number
  readonly logger: Logger
  readonly onServing: (listening: Listening) => void
}

/** Relays in this process. */
async function relayUntil(
  stopped: Promise<NodeJS.Signals>,
  started: Promise<Relay>,
  { drainMs, logger, onServing }: RelayRun,
): Promise<void> {
  const relay = await Promise.race([started, stopped])
  // Stopped while the broker did not answer: nothing is served yet, so nothing is to be drained.
  if (typeof relay === 'string') process.exit(0)
  onServing(relay.listening)
  const signal = await stopped
  logger.info({ signal, drainMs }, 'stopping: connections are ended')
  await relay.close()
  logger.info({}, 'stopped')
}

/** Relays in several processes, each a replica; this one only starts and replaces them. */
async function serveByWorkers(
  stopped: Promise<NodeJS.Signals>,
  { workers: count, name = randomUUID() }: Config,
  logger: Logger,
): Promise<void> {
  const workers = new Workers({ count, name, logger })
  try {
    const listening = await Promise.race([workers.start(), stopped])
    if (typeof listening !== 'string') say(listening)
  } catch (error) {
    await workers.stop('SIGTERM')
    throw error
  }
  await workers.stop(await stopped)
}

function say(listening: Listening): void {
  process.stdout.write(`${JSON.stringify({ listening })}\n`)
}
