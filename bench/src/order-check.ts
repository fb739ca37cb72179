import type { Buffer } from 'node:buffer'

/** Length of a numbered payload: its number, then filling. */
const PAYLOAD_BYTES = 64
const DIGITS = 16
const FILLING = 'x'.repeat(PAYLOAD_BYTES - DIGITS)
/** More messages than may ever be on their way. */
const RING = 1024

/** What went wrong with deliveries, counted one by one. */
export interface Faults {
  lost: number
  reordered: number
  duplicated: number
  damaged: number
}

/** The payload that carries `number`. */
export function payloadOf(number: number): string {
  return String(number).padStart(DIGITS, '0') + FILLING
}

/** Reads event streams of numbered messages, and knows which connection has which. */
export class OrderCheck {
  readonly #streams: Stream[]
  /** How many connections have a message, or have gone past it; by number, in a ring. */
  readonly #arrived = new Uint32Array(RING)
  /** Numbers that a connection has passed over, as `connection:number`. */
  readonly #holes = new Set<string>()
  readonly #faults = { reordered: 0, duplicated: 0, damaged: 0 }
  /** Messages that were sent. */
  sent = 0
  /** Messages that nobody waits for any more. */
  acknowledged = 0
  /** Events that came, of all connections together. */
  deliveries = 0

  constructor(connections: number) {
    this.#streams = Array.from({ length: connections }, () => ({ next: 0, rest: '' }))
  }

  /** Takes a piece of the stream of one connection, cut anywhere. */
  read(connection: number, piece: Buffer): void {
    const stream = this.#streams[connection]!
    const text = stream.rest + piece.toString('latin1')
    let start = 0
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      if (text.startsWith('data:', start)) {
        const from = text.startsWith(' ', start + 5) ? start + 6 : start + 5
        this.#take(connection, stream, text.slice(from, end))
      }
      start = end + 1
    }
    stream.rest = text.slice(start)
  }

  /** Moves `acknowledged` on to the oldest message that somebody still waits for. */
  acknowledge(): void {
    const all = this.#streams.length
    while (this.acknowledged < this.sent && all === this.#arrived[this.acknowledged % RING]) {
      this.#arrived[this.acknowledged++ % RING] = 0
    }
  }

  /** The faults so far; what was sent and has not come by now counts as lost. */
  faults(): Faults {
    let lost = this.#holes.size
    for (const { next } of this.#streams) lost += this.sent - next
    return { lost, ...this.#faults }
  }

  #take(connection: number, stream: Stream, payload: string): void {
    const digits = payload.slice(0, DIGITS)
    // Not ours: a first message, for instance.
    if (!/^\d{16}$/.test(digits)) return
    const number = Number(digits)
    if (payload.length !== PAYLOAD_BYTES || !payload.endsWith(FILLING) || number >= this.sent) {
      this.#faults.damaged++
    } else if (number < stream.next) {
      if (this.#holes.delete(`${connection}:${number}`)) this.#faults.reordered++
      else this.#faults.duplicated++
    } else {
      // What is passed over counts as missing until it comes; nobody waits for it.
      for (; stream.next < number; stream.next++) {
        this.#arrived[stream.next % RING]!++
        this.#holes.add(`${connection}:${stream.next}`)
      }
      this.#arrived[stream.next++ % RING]!++
      this.deliveries++
    }
  }
}

interface Stream {
  /** The number that should come now. */
  next: number
  /** A line that has not ended. */
  rest: string
}
