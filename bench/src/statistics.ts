/** Several measurements of one thing. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** The median, and how far the values lie from it. */
export function spread(values: readonly number[]): Spread {
  if (values.length === 0) throw new Error('There is nothing to take the median of.')
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle]!
  const median = sorted.length % 2 === 1 ? upper : (sorted[middle - 1]! + upper) / 2
  return { median, min: sorted[0]!, max: sorted.at(-1)! }
}

/**
 * Ratios of two servers, round by round: what disturbs the machine for longer than a round disturbs
 * both, and leaves the ratio alone.
 */
export function pairedRatios(ours: readonly number[], theirs: readonly number[]): Spread {
  if (ours.length !== theirs.length) throw new Error('The rounds do not pair up.')
  return spread(ours.map((value, round) => value / theirs[round]!))
}
