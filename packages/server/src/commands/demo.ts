import { ConfigError } from '../config/config-error.ts'
import { startDemo } from '../demo/demo-server.ts'
import { createLogger } from '../logger.ts'
import { endOnUncaught, stopSignal } from '../process-end.ts'

/** `asbru demo`: serves a page to try it in a browser, until it is told to stop. */
export async function demo(port: string): Promise<void> {
  if (!/^\d+$/.test(port) || Number(port) > 65_535) {
    throw new ConfigError('port: expected a number from 0 to 65535 (--port)')
  }
  const logger = createLogger('warn')
  endOnUncaught(logger)
  const stopped = stopSignal()
  const served = await startDemo(Number(port), logger)
  process.stdout.write(`Asbru demo: ${served.url}\n`)
  await stopped
  await served.close()
}
