import { Buffer } from 'node:buffer'

/** A payload as it may be kept: not as a small part of the large block that came from the network. */
export function kept(payload: Buffer): Buffer {
  return payload.length * 2 < payload.buffer.byteLength ? Buffer.from(payload) : payload
}

/** The same bytes, as ioredis takes them. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
