/** Between two attempts at something that the broker does not take now. */
export const RETRY_MS = 200

/** Waits for a promise no longer than so many milliseconds (0: for ever), nor after the signal. */
export async function within<Value>(
  promise: Promise<Value>,
  ms: number,
  signal?: AbortSignal,
): Promise<Value> {
  let stop: (() => void) | undefined
  const end = new Promise<never>((_, reject) => {
    const onAbort = (): void => reject(new Error('The rabbitmq driver was closed.'))
    const timer =
      ms === 0
        ? undefined
        : setTimeout(() => reject(new Error(`RabbitMQ did not answer within ${ms} ms.`)), ms)
    stop = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    }
    if (signal?.aborted) onAbort()
    else signal?.addEventListener('abort', onAbort)
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
