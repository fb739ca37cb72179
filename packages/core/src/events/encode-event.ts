import { Buffer } from 'node:buffer'

/** The fields of one block of an event stream. */
export interface EventFields {
  /** The cursor. */
  id?: string
  /** The event's name; without it the browser fires `message`. */
  event?: string
  /** Reconnection time in milliseconds. */
  retry?: number
  /** A line that every parser skips. */
  comment?: string
  data?: string | Uint8Array
}

/**
 * One block of an event stream in both forms that transports need: framed as a chunk of HTTP/1.1
 * (RFC 9112, 7.1), and bare. They share memory.
 */
export class Frame {
  readonly chunk: Buffer
  readonly bare: Buffer
  /** The bytes of `data` within `bare`, if they stand there as they came in. */
  readonly data: Uint8Array | undefined

  constructor(chunk: Buffer, bare: Buffer, data?: Uint8Array) {
    this.chunk = chunk
    this.bare = bare
    this.data = data
  }
}

const LF = 0x0a
const CR = 0x0d
/** What ends a line for a parser of event streams. */
const LINE_END = /\r\n|\r|\n/
const END = Buffer.from('\n\n\r\n')

/**
 * Writes one block. Nothing in a field can end its line: line breaks in `data` become further `data:`
 * lines, and every other field is cut at its first line break or NUL.
 *
 * [spec] https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */
export function encodeEvent(fields: EventFields): Frame {
  let head = ''
  if (fields.comment !== undefined) head += `: ${oneLine(fields.comment)}\n`
  if (fields.retry !== undefined) head += `retry: ${Math.trunc(fields.retry)}\n`
  if (fields.id !== undefined) head += `id: ${oneLine(fields.id)}\n`
  if (fields.event !== undefined) head += `event: ${oneLine(fields.event)}\n`
  const { data } = fields
  if (data === undefined) return frame(head.slice(0, -1), Buffer.alloc(0))
  const payload = typeof data === 'string' ? Buffer.from(data) : asBuffer(data)
  if (payload.indexOf(LF) < 0 && payload.indexOf(CR) < 0)
    return frame(`${head}data: `, payload, true)
  const lines = payload.toString().split(LINE_END).join('\ndata: ')
  return frame(`${head}data: ${lines}`, Buffer.alloc(0))
}

function oneLine(value: string): string {
  // oxlint-disable-next-line no-control-regex -- NUL is what makes a browser ignore an id
  return value.split(/[\r\n\0]/, 1)[0]!
}

function frame(head: string, payload: Buffer, keepsData = false): Frame {
  const size = Buffer.byteLength(head) + payload.length + 2
  const chunkHead = `${size.toString(16)}\r\n`
  const chunk = Buffer.allocUnsafe(chunkHead.length + size + 2)
  const dataStart = chunk.write(chunkHead + head)
  chunk.set(payload, dataStart)
  const dataEnd = dataStart + payload.length
  chunk.set(END, dataEnd)
  const bare = chunk.subarray(chunkHead.length, dataEnd + 2)
  return new Frame(chunk, bare, keepsData ? chunk.subarray(dataStart, dataEnd) : undefined)
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
