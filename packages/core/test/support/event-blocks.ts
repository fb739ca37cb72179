import { createParser, type EventSourceMessage } from 'eventsource-parser'

/** What an EventSource would make of a stream, in the order of arrival. */
export interface ReadEvents {
  readonly events: EventSourceMessage[]
  readonly comments: string[]
  readonly retries: number[]
  /** Lines that are no field of an event stream. */
  readonly faults: Error[]
}

/** Reads the whole text of an event stream with the parser that clients use. */
export function readEvents(text: string): ReadEvents {
  const read: ReadEvents = { events: [], comments: [], retries: [], faults: [] }
  const parser = createParser({
    onEvent: (event) => read.events.push(event),
    onComment: (comment) => read.comments.push(comment),
    onRetry: (retry) => read.retries.push(retry),
    onError: (error) => read.faults.push(error),
  })
  parser.feed(text)
  return read
}

/** Info messages arrive without an event name, as JSON objects. */
export function infoOf(event: EventSourceMessage): Record<string, unknown> | undefined {
  return event.event === undefined ? (JSON.parse(event.data) as Record<string, unknown>) : undefined
}

/** The events that have a name: those of topics. */
export function topicEvents({ events }: ReadEvents): EventSourceMessage[] {
  return events.filter((event) => event.event !== undefined)
}
