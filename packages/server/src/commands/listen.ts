import { apiClient, type ApiClientOptions } from '../api-client.ts'
import { followEvents } from '../follow-events.ts'
import { stopSignal } from '../process-end.ts'

/** Where `asbru listen` finds a relay. */
export interface ListenCommandOptions extends ApiClientOptions {
  /** Such as `http://127.0.0.1:8080/events`. */
  readonly events: string
}

/** `asbru listen`: makes a client, prints one JSON line an event, and removes the client at the end. */
export async function listen(
  topics: readonly string[],
  { events, ...options }: ListenCommandOptions,
): Promise<void> {
  const api = apiClient(options)
  const stop = new AbortController()
  void stopSignal().then(() => stop.abort())
  // Whoever read our lines went away: `asbru listen news | head -1`.
  process.stdout.on('error', () => stop.abort())
  const { id } = (await api({ method: 'POST', path: ['clients'], body: { topics } })) as {
    id: string
  }
  try {
    await followEvents(`${events}?id=${encodeURIComponent(id)}`, {
      signal: stop.signal,
      onEvent: (event) => process.stdout.write(`${JSON.stringify(event)}\n`),
      onInfo: (info) => process.stderr.write(`${info}\n`),
    })
  } finally {
    // It may be gone already, and would go by itself.
    await api({ method: 'DELETE', path: ['clients', id] }).catch(() => {})
  }
}
