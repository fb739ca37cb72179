import { StreamerError } from '@asbru/core'
import { CommanderError } from 'commander'
import { ConfigError } from './config/config-error.ts'
import { Fault } from './fault.ts'
import { program } from './program.ts'

try {
  await program().parseAsync()
} catch (error) {
  process.exitCode = exitCodeOf(error)
  const text = textOf(error)
  if (text !== undefined) process.stderr.write(`${text}\n`)
}

function exitCodeOf(error: unknown): number {
  if (error instanceof ConfigError) return 2
  // Help that was asked for ends well; all else that it throws is an option that is wrong.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  return 1
}

/** What is still to be said: commander has said its own. */
function textOf(error: unknown): string | undefined {
  if (error instanceof CommanderError) return undefined
  if (error instanceof ConfigError || error instanceof Fault) return error.message
  if (error instanceof StreamerError) {
    return error.cause instanceof Error ? `${error.message} ${error.cause.message}` : error.message
  }
  return error instanceof Error ? error.stack : String(error)
}
