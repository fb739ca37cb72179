import type { Buffer } from 'node:buffer'

/** Takes the chunks of HTTP/1.1 apart (RFC 9112, 7.1) and throws on the smallest fault. */
export function parseChunks(bytes: Buffer): { chunks: Buffer[]; ended: boolean; rest: Buffer } {
  const chunks: Buffer[] = []
  let at = 0
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at)
    if (lineEnd < 0) break
    const size = bytes.subarray(at, lineEnd).toString('latin1')
    if (!/^[0-9a-f]+$/.test(size)) throw new Error(`not the size of a chunk: ${size}`)
    const start = lineEnd + 2
    const end = start + Number.parseInt(size, 16)
    if (bytes.length < end + 2) break
    if (bytes.toString('latin1', end, end + 2) !== '\r\n') {
      throw new Error(`a chunk of ${size} bytes does not end where it says`)
    }
    if (end === start) return { chunks, ended: true, rest: bytes.subarray(end + 2) }
    chunks.push(bytes.subarray(start, end))
    at = end + 2
  }
  return { chunks, ended: false, rest: bytes.subarray(at) }
}
