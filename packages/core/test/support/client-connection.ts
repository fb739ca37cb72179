import type { EventSourceMessage } from 'eventsource-parser'
import { vi } from 'vitest'
import type { Streamer } from '../../src/index.ts'
import { StreamReader } from './stream-reader.ts'

/** What the first message of a stream says. */
export interface FirstMessage {
  readonly config: { readonly client_id: string; readonly client_ttl_millis: number }
  readonly subscriptions: string[]
}

/** One connection over HTTP, behind its first message. */
export class ClientConnection {
  readonly reader: StreamReader
  readonly first: FirstMessage
  /** The cursor of the last event that was read. */
  cursor: string | undefined

  private constructor(reader: StreamReader, first: EventSourceMessage) {
    this.reader = reader
    this.first = JSON.parse(first.data) as FirstMessage
    this.cursor = first.id
  }

  /** Connects as a browser does, and reads the first message. */
  static async open(url: string, lastEventId?: string): Promise<ClientConnection> {
    const headers: Record<string, string> =
      lastEventId === undefined ? {} : { 'last-event-id': lastEventId }
    const response = await fetch(url, { headers })
    if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`)
    const reader = new StreamReader(response)
    const [first] = await reader.take(1)
    return new ClientConnection(reader, first!)
  }

  /** The next `count` events, each as `name: data`; info messages have no name. */
  async take(count: number): Promise<string[]> {
    const events = await this.reader.take(count)
    this.cursor = events.findLast((event) => event.id !== undefined)?.id ?? this.cursor
    return events.map(shown)
  }

  /** All events up to the one whose data is `last`, that one included. */
  async takeUntil(last: string): Promise<string[]> {
    const taken: string[] = []
    do taken.push(...(await this.take(1)))
    while (!taken.at(-1)!.endsWith(last))
    return taken
  }

  /** All events up to the end of the stream. */
  async rest(): Promise<string[]> {
    return (await this.reader.rest()).map(shown)
  }

  /** Goes away, and waits until the server has noticed. */
  async leave(streamer: Streamer): Promise<void> {
    const { connections } = await streamer.status()
    await this.reader.cancel()
    const isNoticed = async (): Promise<boolean> =>
      (await streamer.status()).connections < connections
    await vi.waitUntil(isNoticed, { timeout: 10_000, interval: 1 })
  }
}

function shown(event: EventSourceMessage): string {
  return event.event === undefined ? event.data : `${event.event}: ${event.data}`
}
