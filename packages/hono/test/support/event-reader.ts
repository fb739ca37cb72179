import type { EventSourceMessage } from 'eventsource-parser'
import { EventSourceParserStream } from 'eventsource-parser/stream'
import { onTestFinished } from 'vitest'

/** Reads an answer as an EventSource does. */
export interface EventReader {
  /** The next event, or `undefined` at the end of the stream. */
  next(): Promise<EventSourceMessage | undefined>
  /** Goes away. */
  cancel(): Promise<void>
}

/** Reads the events of an answer, until the end of the test. */
export function eventsOf(response: Response): EventReader {
  const reader = response
    .body!.pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream({ onError: 'terminate' }))
    .getReader()
  const cancel = (): Promise<void> => reader.cancel().catch(() => {})
  onTestFinished(cancel)
  return { next: async () => (await reader.read()).value, cancel }
}
