import { EventEmitter } from 'node:events'
import type { NodeResponse } from '../../../src/http/node-sinks.ts'
import type { Timeline } from '../cluster/timeline.ts'
import type { SimulatedProcess } from './simulated-process.ts'

/** With so many bytes waiting the socket asks for patience. */
const FULL_BYTES = 2_048

/** One block of an event stream, as an EventSource reads it. */
export interface Block {
  /** When the server wrote it. */
  readonly at: number
  readonly id: string | undefined
  readonly event: string | undefined
  /** Absent where no event fires. */
  readonly data: string | undefined
}

/** What a page works with. */
export interface PageOptions {
  readonly timeline: Timeline
  /** The one that serves it. */
  readonly process: SimulatedProcess
  /** How long the network takes for a block, in milliseconds. */
  readonly paceMs: number
  readonly onBlock: (block: Block) => void
  readonly onEnd: () => void
}

/** The two ends of an open response: the server's, and behind a network that takes its time the browser's. */
export class Page extends EventEmitter {
  paceMs: number
  destroyed = false
  writableEnded = false
  writableFinished = false
  writableLength = 0
  writableNeedDrain = false
  readonly #options: PageOptions
  #blocks: { readonly text: string; readonly at: number }[] = []
  #isPulling = false

  constructor(options: PageOptions) {
    super()
    this.#options = options
    this.paceMs = options.paceMs
  }

  /** As the server takes it. */
  get response(): NodeResponse {
    return this as unknown as NodeResponse
  }

  getHeaderNames(): string[] {
    return []
  }

  writeHead(): void {
    // The status is that of any stream.
  }

  flushHeaders(): void {
    // There is nothing before the first block.
  }

  write(bytes: Uint8Array): void {
    if (this.destroyed) return
    const at = this.#options.timeline.now
    const texts = new TextDecoder().decode(bytes).split('\n\n')
    if (texts.pop() !== '') throw new Error('A write ended within a block.')
    for (const text of texts) this.#blocks.push({ text, at })
    this.writableLength += bytes.length
    if (this.writableLength >= FULL_BYTES) this.writableNeedDrain = true
    this.#pullLater()
  }

  end(): void {
    this.writableEnded = true
    this.#pullLater()
  }

  /** Ends it, whoever does: what is under way is lost. */
  destroy(): void {
    if (this.destroyed) return
    this.destroyed = true
    this.#blocks = []
    this.#options.process.give(() => this.emit('close'))
    this.#options.onEnd()
  }

  #pullLater(): void {
    if (this.#isPulling) return
    this.#isPulling = true
    this.#options.timeline.after(this.paceMs, () => this.#pull())
  }

  #pull(): void {
    this.#isPulling = false
    if (this.destroyed) return
    const block = this.#blocks.shift()
    if (block === undefined) {
      this.writableFinished = true
      this.destroy()
      return
    }
    this.#options.onBlock(blockOf(block.text, block.at))
    if (this.destroyed) return
    if (this.#blocks.length > 0) this.#pullLater()
    else this.#drained()
  }

  #drained(): void {
    this.writableLength = 0
    if (this.writableEnded) this.#pullLater()
    if (!this.writableNeedDrain) return
    this.writableNeedDrain = false
    this.#options.process.give(() => this.emit('drain'))
  }
}

function blockOf(text: string, at: number): Block {
  const fields = new Map<string, string>()
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':')
    fields.set(line.slice(0, colon), line.slice(colon + 1).trimStart())
  }
  return { at, id: fields.get('id'), event: fields.get('event'), data: fields.get('data') }
}
