import { ErrorCode, NatsError } from 'nats'

/** Between two attempts at something that the broker does not take now. */
export const RETRY_MS = 200

const INVALID_OPTION: string = ErrorCode.InvalidOption

/**
 * Waits for a promise no longer than so many milliseconds, nor after the signal.
 * @throws {NatsError} `TIMEOUT`, or `CONNECTION_CLOSED` after the signal
 */
export async function within<Value>(
  promise: Promise<Value>,
  ms: number,
  signal: AbortSignal,
): Promise<Value> {
  let stop: (() => void) | undefined
  const end = new Promise<never>((_, reject) => {
    const onAbort = (): void => reject(NatsError.errorForCode(ErrorCode.ConnectionClosed))
    const timer =
      ms === Infinity
        ? undefined
        : setTimeout(() => reject(NatsError.errorForCode(ErrorCode.Timeout)), ms)
    stop = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
    }
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort)
  })
  try {
    return await Promise.race([promise, end])
  } finally {
    stop!()
  }
}

/** Waits so many milliseconds, or until the signal. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await within(new Promise<never>(() => {}), ms, signal).catch(() => {})
}

/** Tries again until it works; after `timeoutMs` (0: never), the signal or a lasting fault throws the last error. */
export async function persist<Value>(
  attempt: (remainingMs: number) => Promise<Value>,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<Value> {
  const deadline = timeoutMs === 0 ? Infinity : performance.now() + timeoutMs
  for (;;) {
    try {
      return await attempt(deadline - performance.now())
    } catch (error) {
      if (signal.aborted || isLasting(error) || performance.now() + RETRY_MS >= deadline)
        throw error
    }
    await pause(RETRY_MS, signal)
  }
}

/** Whether trying again is no use: what was asked for is wrong. */
function isLasting(error: unknown): boolean {
  if (!(error instanceof NatsError)) return false
  const { api_error: api } = error
  if (api !== undefined) return api.code !== 503
  return error.isAuthError() || error.code === INVALID_OPTION
}
