import type { LoadedConfig } from '../config/load-config.ts'
import { createLogger } from '../logger.ts'
import { endOnUncaught, stopSignal } from '../process-end.ts'
import { startRelay } from '../relay.ts'

/** `asbru serve`: relays until it is told to stop, and drains. */
export async function serve({ config, warnings }: LoadedConfig): Promise<void> {
  const logger = createLogger(config.logLevel)
  endOnUncaught(logger)
  for (const warning of warnings) logger.warn({}, warning)
  const stopped = stopSignal()
  const relay = await Promise.race([startRelay(config, logger), stopped])
  // Stopped while the broker did not answer: nothing is served yet, so nothing is to be drained.
  if (typeof relay === 'string') process.exit(0)
  process.stdout.write(`${JSON.stringify({ listening: relay.listening })}\n`)
  const signal = await stopped
  logger.info({ signal, drainMs: config.drainMs }, 'stopping: connections are ended')
  await relay.close()
  logger.info({}, 'stopped')
}
