import type { Streamer } from '@asbru/core'
import { EventSourceParserStream } from 'eventsource-parser/stream'

/** One event as a browser would see it. */
export interface ReadEvent {
  readonly event: string
  readonly data: string
  readonly cursor: string
}

/**
 * Connects to a Streamer as one of its clients and reads topic events until `enough` says so, then
 * cuts the connection. A gap is an error: nothing is missing here.
 */
export async function readEvents(
  streamer: Streamer,
  clientId: string,
  cursor: string | undefined,
  enough: (events: readonly ReadEvent[]) => boolean,
): Promise<ReadEvent[]> {
  const url = `http://contract.test/events?id=${clientId}`
  const headers: Record<string, string> = cursor === undefined ? {} : { 'last-event-id': cursor }
  const response = await streamer.fetch(new Request(url, { headers }))
  if (response.body === null) throw new Error(`The stream was refused with ${response.status}.`)
  const reader = response.body
    .pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)
    .pipeThrough(new EventSourceParserStream())
    .getReader()
  const events: ReadEvent[] = []
  try {
    while (!enough(events)) {
      const { value, done } = await reader.read()
      if (done) throw new Error(`The stream ended after ${events.length} events.`)
      if (value.event !== undefined)
        events.push({ event: value.event, data: value.data, cursor: value.id ?? '' })
      else if (value.data.startsWith('{"gap"')) throw new Error(`A gap was told: ${value.data}`)
    }
    return events
  } finally {
    await reader.cancel()
  }
}
