import { type ClientRequest, get } from 'node:http'
import { StringDecoder } from 'node:string_decoder'
import { onTestFinished } from 'vitest'
import { type EventBlock, EventReader } from './event-reader.ts'

/** Who is told what a client gets. */
export interface SseObserver {
  /** An event of a topic. */
  event?(topic: string, data: string): void
  /** A `gap`, of some topics or of all. */
  gap?(gap: { readonly reason: string; readonly topics?: readonly string[] }): void
}

/** An EventSource that costs little, so that one process can hold hundreds; it ends with the test. */
export class SseClient {
  /** Of each answer. */
  readonly statuses: number[] = []
  /** Of each connection that the server said it ends. */
  readonly closings: string[] = []
  /** How often the first message of a connection came. */
  opened = 0
  /** Whether it comes back once its connection ends. */
  isAlive = true
  readonly #url: string
  readonly #observer: SseObserver
  #lastId: string
  #retryMs = 2_000
  #request: ClientRequest | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(url: string, observer: SseObserver = {}, lastId = '') {
    this.#url = url
    this.#observer = observer
    this.#lastId = lastId
    onTestFinished(() => this.close())
    this.#connect()
  }

  /** What it would send as `Last-Event-ID`. */
  get lastId(): string {
    return this.#lastId
  }

  /** Does not come back once its connection ends. */
  stay(): void {
    this.isAlive = false
  }

  close(): void {
    this.isAlive = false
    clearTimeout(this.#timer)
    this.#request?.destroy()
  }

  #connect(): void {
    const headers = {
      accept: 'text/event-stream',
      ...(this.#lastId !== '' && { 'last-event-id': this.#lastId }),
    }
    const asking = get(this.#url, { agent: false, headers })
    this.#request = asking
    asking.on('error', () => {})
    asking.once('close', () => this.#again())
    asking.once('response', (response) => {
      this.statuses.push(response.statusCode!)
      if (response.statusCode !== 200) return this.close()
      const reader = new EventReader(this.#lastId, (block) => {
        this.#lastId = reader.lastId
        this.#retryMs = reader.retryMs ?? this.#retryMs
        this.#block(block)
      })
      const text = new StringDecoder()
      response.on('data', (chunk: Buffer) => reader.read(text.write(chunk)))
      response.on('error', () => {})
    })
  }

  #again(): void {
    if (this.isAlive) this.#timer = setTimeout(() => this.#connect(), this.#retryMs)
  }

  #block({ event, data }: EventBlock): void {
    if (data === undefined) return
    if (event !== 'message') return this.#observer.event?.(event, data)
    const info = JSON.parse(data) as Info
    if (info.config !== undefined) this.opened++
    if (info.gap !== undefined) this.#observer.gap?.(info.gap)
    if (info.closing !== undefined) this.closings.push(info.closing.reason)
  }
}

interface Info {
  readonly config?: object
  readonly gap?: { readonly reason: string; readonly topics?: readonly string[] }
  readonly closing?: { readonly reason: string }
}
