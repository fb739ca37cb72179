/** Where time comes from; a test holds it still. */
export interface Clock {
  /** Milliseconds on a clock that never goes back. */
  now(): number
  /** Milliseconds since 1970, for what people read. */
  wallTime(): number
  /**
   * Runs `run` once in `ms` milliseconds, unless the returned function is called before. The process
   * does not wait for it, unless `awaited`.
   */
  after(ms: number, run: () => void, awaited?: boolean): () => void
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  after(ms, run, awaited = false) {
    const timer = setTimeout(run, ms)
    if (!awaited) timer.unref()
    return () => clearTimeout(timer)
  },
}
