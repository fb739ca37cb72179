import type { Logger } from '@asbru/core'

/** Resolves with the first SIGTERM or SIGINT; a second one ends the process at once, with exit code 1. */
export function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let stopping = false
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        if (stopping) process.exit(1)
        stopping = true
        resolve(signal)
      })
    }
  })
}

/** Logs what nobody caught and ends the process with exit code 1: what state it left, nobody knows. */
export function endOnUncaught(logger: Logger): void {
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      logger.error({ err: error }, event)
      process.exit(1)
    })
  }
}
