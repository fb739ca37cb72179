/**
 * Options of a call that is tried once: the driver tries again by itself, and wants the reason. The client's
 * own attempts would go on for minutes.
 */
export function once(timeoutMs: number): { timeout: number; retry: never } {
  // The client's types leave out the value that its documentation gives for this.
  return { timeout: timeoutMs, retry: null! }
}
