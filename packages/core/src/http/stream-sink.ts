import type { Batch } from '../batch.ts'
import type { Sink, StreamOpener } from '../connection.ts'

/** Bytes that may wait in the stream before it counts as full. */
const HIGH_WATER_MARK = 64 * 1024

/** Opens an event stream as the body of a web-standard `Response`. */
export function openOnStream({ open }: StreamOpener): ReadableStream<Uint8Array> {
  let sink: StreamSink
  let gone: () => void
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        sink = new StreamSink(controller, () => gone())
        gone = open(sink)
      },
      pull: () => sink.drained(),
      cancel: () => gone(),
    },
    { highWaterMark: HIGH_WATER_MARK, size: (chunk) => chunk.byteLength },
  )
}

class StreamSink implements Sink {
  readonly #controller: ReadableStreamDefaultController<Uint8Array>
  readonly #gone: () => void
  #onDrain: (() => void) | undefined
  #ended = false

  constructor(controller: ReadableStreamDefaultController<Uint8Array>, gone: () => void) {
    this.#controller = controller
    this.#gone = gone
  }

  get queuedBytes(): number {
    return HIGH_WATER_MARK - (this.#controller.desiredSize ?? HIGH_WATER_MARK)
  }

  get full(): boolean {
    return (this.#controller.desiredSize ?? 0) <= 0
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
    if (this.#ended) return
    this.#ended = true
    this.#controller.error(new Error('The reader could not keep up.'))
    this.#gone()
  }
}
