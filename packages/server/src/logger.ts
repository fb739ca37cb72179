import type { Logger } from '@asbru/core'
import { pino, stdSerializers, stdTimeFunctions } from 'pino'
import type { Config } from './config/schema.ts'

/**
 * Writes one JSON object a line to stderr, at once, so that the last words of a process are not lost. Each line has the
 * name of the worker, where there are several.
 */
export function createLogger(level: Config['logLevel'], worker?: string): Logger {
  return pino(
    {
      level,
      base: worker === undefined ? null : { worker },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: stdSerializers.err, error: stdSerializers.err },
    },
    pino.destination({ dest: 2, sync: true }),
  )
}
