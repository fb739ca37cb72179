/** One block of an event stream. */
export interface EventBlock {
  readonly event: string
  /** Undefined for a block that has only an id, of which a browser fires no event. */
  readonly data: string | undefined
}

/** Reads an event stream as a browser does. https://html.spec.whatwg.org/multipage/server-sent-events.html */
export class EventReader {
  lastId = ''
  retryMs: number | undefined
  readonly #onBlock: (block: EventBlock) => void
  #rest = ''
  #event = ''
  #data: string | undefined
  #id: string

  constructor(lastId: string, onBlock: (block: EventBlock) => void) {
    this.lastId = lastId
    this.#id = lastId
    this.#onBlock = onBlock
  }

  read(chunk: string): void {
    const lines = (this.#rest + chunk).split('\n')
    this.#rest = lines.pop()!
    for (const line of lines) this.#line(line.endsWith('\r') ? line.slice(0, -1) : line)
  }

  #line(line: string): void {
    if (line === '') return this.#dispatch()
    const colon = line.indexOf(':')
    if (colon === 0) return
    const name = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (name === 'event') this.#event = value
    else if (name === 'data')
      this.#data = this.#data === undefined ? value : `${this.#data}\n${value}`
    else if (name === 'id' && !value.includes('\0')) this.#id = value
    else if (name === 'retry' && /^\d+$/.test(value)) this.retryMs = Number(value)
  }

  #dispatch(): void {
    this.lastId = this.#id
    const block = { event: this.#event || 'message', data: this.#data }
    this.#event = ''
    this.#data = undefined
    this.#onBlock(block)
  }
}
