import { Buffer } from 'node:buffer'
import type { Frame } from '../events/encode-event.ts'

/**
 * The frames that leave for a connection in one write. Connections with the same frames pending share
 * one batch, so that it is joined once for all of them: `with` returns the same successor for the
 * same frame. (`bench/`: with 16 messages a turn this is most of what makes the relay fast.)
 */
export class Batch {
  /** Bytes on the wire, chunk framing included. */
  readonly bytes: number
  /** How many frames. */
  readonly length: number
  readonly #before: Batch | undefined
  readonly #frame: Frame | undefined
  #lastFrame: Frame | undefined
  #lastSuccessor: Batch | undefined
  #chunks: Buffer | undefined
  #bare: Buffer | undefined

  private constructor(before?: Batch, frame?: Frame) {
    this.#before = before
    this.#frame = frame
    this.bytes = before === undefined ? 0 : before.bytes + frame!.chunk.length
    this.length = before === undefined ? 0 : before.length + 1
  }

  /** An empty batch. */
  static empty(): Batch {
    return new Batch()
  }

  /** This batch and `frame` behind it. */
  with(frame: Frame): Batch {
    if (this.#lastFrame === frame) return this.#lastSuccessor!
    this.#lastFrame = frame
    return (this.#lastSuccessor = new Batch(this, frame))
  }

  /** All frames as chunks of HTTP/1.1. */
  get chunks(): Buffer {
    return (this.#chunks ??= this.length === 1 ? this.#frame!.chunk : this.#join('chunk'))
  }

  /** All frames without transport framing. */
  get bare(): Buffer {
    return (this.#bare ??= this.length === 1 ? this.#frame!.bare : this.#join('bare'))
  }

  #join(form: 'chunk' | 'bare'): Buffer {
    const parts: Buffer[] = []
    for (let batch: Batch = this; batch.#before !== undefined; batch = batch.#before) {
      parts.push(batch.#frame![form])
    }
    return Buffer.concat(parts.reverse())
  }
}
