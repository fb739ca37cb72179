import type { Logger } from '@asbru/core'

/**
 * Ctrl-C in a terminal reaches us and `npm run` alike, which passes it on: one that comes so soon after the
 * first is the same.
 */
const SAME_MS = 500

/** Resolves with the first SIGTERM or SIGINT; a second one ends the process at once, with exit code 1. */
export function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let first: number | undefined
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        if (first !== undefined && performance.now() - first > SAME_MS) process.exit(1)
        first ??= performance.now()
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
