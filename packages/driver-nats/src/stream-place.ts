/** JetStream counts in these. */
export const NANOS_PER_MS = 1_000_000

/** Where a message stands in the stream, and in what its consumer delivered. */
export interface Place {
  readonly sequence: number
  readonly delivered: number
}

/**
 * Reads it from where an answer to a message would go:
 * `$JS.ACK.<stream>.<consumer>.<tries>.<sequence>.<delivered>.<time>.<pending>`; newer servers may
 * put domain and account before the stream.
 */
export function placeOf(reply: string | undefined): Place | undefined {
  if (!reply?.startsWith('$JS.ACK.')) return undefined
  const tokens = reply.split('.')
  const first = tokens.length === 9 ? 5 : 7
  return { sequence: Number(tokens[first]), delivered: Number(tokens[first + 1]) }
}

/** The time at which a stream was made, in nanoseconds, which no other stream of its name has. */
export function epochOf(created: string): string {
  const fraction = /\.(\d+)/.exec(created)?.[1] ?? ''
  const ms = Date.parse(created.replace(/\.\d+/, ''))
  return (BigInt(ms) * BigInt(NANOS_PER_MS) + BigInt(fraction.padEnd(9, '0'))).toString(36)
}
