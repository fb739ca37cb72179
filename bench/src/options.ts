import { parseArgs } from 'node:util'

/** What `pnpm bench` was asked to do. */
export interface BenchOptions {
  readonly rounds: number
  /** Measured in each run, after the warm-up. */
  readonly seconds: number
  readonly warmupSeconds: number
  readonly connections: number
  readonly idleConnections: number
  /** How many messages may be on their way at a time; one mode for each. */
  readonly windows: readonly number[]
  readonly only: readonly ContestantName[]
}

/** The servers that can be measured; those of Asbru come first. */
export const contestants = {
  asbru: 'asbru serve',
  'asbru-hono': '@asbru/hono mount',
  'res-write': 'res.write(shared string)',
  'better-sse': 'better-sse',
} as const

export type ContestantName = keyof typeof contestants

/** Said when the options are wrong, and for `--help`. */
export const usage = `pnpm bench [options]
  --rounds 5             how often each server has its turn
  --seconds 4            measured in each turn
  --warmup 1             seconds before that
  --connections 1000     event streams
  --window 1,16          messages on their way at a time
  --idle 10000           idle connections for the memory figure; 0 leaves it out
  --only ${Object.keys(contestants).join(',')}`

/** Reads the command line; `help` if that is asked for. Throws with the name of what is wrong. */
export function readOptions(args: readonly string[]): BenchOptions | 'help' {
  const { values } = parseArgs({
    args: args.filter((arg) => arg !== '--'),
    options: {
      help: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '4' },
      warmup: { type: 'string', default: '1' },
      connections: { type: 'string', default: '1000' },
      window: { type: 'string', default: '1,16' },
      idle: { type: 'string', default: '10000' },
      only: { type: 'string', default: Object.keys(contestants).join(',') },
    },
  })
  if (values.help) return 'help'
  return {
    rounds: whole('rounds', values.rounds, 1),
    seconds: seconds('seconds', values.seconds),
    warmupSeconds: seconds('warmup', values.warmup),
    connections: whole('connections', values.connections, 1),
    idleConnections: whole('idle', values.idle, 0),
    windows: values.window.split(',').map((window) => whole('window', window, 1, 512)),
    only: values.only.split(',').map(contestantName),
  }
}

function whole(name: string, text: string, least: number, most = 1_000_000): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw new Error(`--${name} is not a whole number from ${least} to ${most}: ${text}`)
}

function seconds(name: string, text: string): number {
  const value = Number(text)
  if (value > 0 && value <= 3600) return value
  throw new Error(`--${name} is not a number of seconds: ${text}`)
}

function contestantName(name: string): ContestantName {
  if (Object.hasOwn(contestants, name)) return name as ContestantName
  throw new Error(`--only names no server: ${name}`)
}
