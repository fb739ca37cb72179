import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { onTestFinished } from 'vitest'

/** Reads a web-standard answer as an EventSource would, an event at a time. */
export class StreamReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  readonly #decoder = new TextDecoder()
  readonly #waiting: EventSourceMessage[] = []
  readonly #parser = createParser({
    onEvent: (event) => this.#waiting.push(event),
    onRetry: (retry) => this.retries.push(retry),
    onError: (error) => this.faults.push(error),
  })
  /** Reconnection times that it was told, in milliseconds. */
  readonly retries: number[] = []
  /** Lines that are no field of an event stream. */
  readonly faults: Error[] = []

  constructor(response: Response) {
    if (response.body === null) throw new Error('The answer has no body.')
    this.#reader = response.body.getReader()
    onTestFinished(() => this.cancel())
  }

  /** The next event, or `undefined` at the end of the stream. */
  async next(): Promise<EventSourceMessage | undefined> {
    while (this.#waiting.length === 0) {
      const { done, value } = await this.#reader.read()
      if (done) return undefined
      this.#parser.feed(this.#decoder.decode(value, { stream: true }))
    }
    return this.#waiting.shift()
  }

  /** The next `count` events. */
  async take(count: number): Promise<EventSourceMessage[]> {
    const taken: EventSourceMessage[] = []
    while (taken.length < count) {
      const event = await this.next()
      if (event === undefined) throw new Error(`the stream ended after ${taken.length} events`)
      taken.push(event)
    }
    return taken
  }

  /** All events up to the end of the stream. */
  async rest(): Promise<EventSourceMessage[]> {
    const rest: EventSourceMessage[] = []
    for (let event = await this.next(); event !== undefined; event = await this.next()) {
      rest.push(event)
    }
    return rest
  }

  /** Goes away without reading on. */
  async cancel(): Promise<void> {
    await this.#reader.cancel().catch(() => {})
  }
}
