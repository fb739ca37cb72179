import type { Batch } from '../connections/batch.ts'
import type { Connection, Sink, StreamOpener } from '../connections/connection.ts'

/** With so many bytes waiting the stream counts as full. */
const FULL_BYTES = 64 * 1024

/** Makes the body of a web-standard `Response` of an event stream, which is opened when it is first read. */
export function openOnStream({ open, abandon }: StreamOpener): ReadableStream<Uint8Array> {
  let sink: StreamSink | undefined
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (sink !== undefined) return sink.drained()
        sink = new StreamSink(controller)
        sink.connection = open(sink)
        if (sink.connection === undefined) sink.end()
      },
      cancel() {
        if (sink === undefined) abandon()
        else sink.connection?.gone()
      },
    },
    // With room for nothing, `pull` is called when a reader waits and finds nothing.
    { highWaterMark: 0, size: (chunk) => chunk.byteLength },
  )
}

class StreamSink implements Sink {
  connection: Connection | undefined
  readonly #controller: ReadableStreamDefaultController<Uint8Array>
  #onDrain: (() => void) | undefined
  #ended = false

  constructor(controller: ReadableStreamDefaultController<Uint8Array>) {
    this.#controller = controller
  }

  get queuedBytes(): number {
    return -(this.#controller.desiredSize ?? 0)
  }

  get full(): boolean {
    return this.queuedBytes >= FULL_BYTES
  }

  write(batch: Batch): void {
    if (!this.#ended) this.#controller.enqueue(batch.bare)
  }

  onDrain(run: () => void): void {
    this.#onDrain = run
  }

  drained(): void {
    const run = this.#onDrain
    this.#onDrain = undefined
    run?.()
  }

  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#controller.close()
  }

  destroy(): void {
    this.#ended = true
    // Drops what is queued; does nothing to a stream that was read to its end.
    this.#controller.error(new Error('The reader could not keep up.'))
    this.connection?.gone()
  }
}
