import { randomUUID } from 'node:crypto'
import type { Logger } from '@asbru/core'
import type { LoadedConfig } from '../config/load-config.ts'
import type { Config } from '../config/schema.ts'
import { createLogger } from '../logger.ts'
import { endOnUncaught, stopSignal } from '../process-end.ts'
import { type Listening, startRelay } from '../relay.ts'
import { thisWorker } from '../workers/worker.ts'
import { Workers } from '../workers/workers.ts'

/** `asbru serve`: relays until it is told to stop, and drains. */
export async function serve({ config, warnings }: LoadedConfig): Promise<void> {
  const worker = thisWorker()
  const logger = createLogger(config.logLevel, worker?.name)
  endOnUncaught(logger)
  if (worker !== undefined) {
    const stopped = Promise.race([worker.stopped, stopSignal()])
    const named = { ...config, name: worker.name }
    await serveUntil(stopped, named, logger, (listening) => worker.serves(listening))
    return worker.leave()
  }
  for (const warning of warnings) logger.warn({}, warning)
  if (config.workers > 1) await serveByWorkers(stopSignal(), config, logger)
  else await serveUntil(stopSignal(), config, logger, say)
}

/** Relays in this process. */
async function serveUntil(
  stopped: Promise<NodeJS.Signals>,
  config: Config,
  logger: Logger,
  onServing: (listening: Listening) => void,
): Promise<void> {
  const relay = await Promise.race([startRelay(config, logger), stopped])
  // Stopped while the broker did not answer: nothing is served yet, so nothing is to be drained.
  if (typeof relay === 'string') process.exit(0)
  onServing(relay.listening)
  const signal = await stopped
  logger.info({ signal, drainMs: config.drainMs }, 'stopping: connections are ended')
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
