import type { Buffer } from 'node:buffer'
import type { IncomingMessage, OutgoingMessage } from '@asbru/core'
import { bufferOf, kept } from './bytes.ts'

/** A message as fields of an entry and their values, in turn. */
export function fieldsOf({ topic, payload, event, id }: OutgoingMessage): (string | Buffer)[] {
  const fields: (string | Buffer)[] = ['topic', topic, 'data', bufferOf(payload)]
  if (event !== undefined) fields.push('event', event)
  if (id !== undefined) fields.push('id', id)
  return fields
}

/** An entry as a message, or `undefined` for one that is none. */
export function messageOf(fields: readonly Buffer[]): IncomingMessage | undefined {
  let topic: string | undefined
  let payload: Buffer | undefined
  const names: { event?: string; id?: string } = {}
  for (let i = 0; i < fields.length; i += 2) {
    const value = fields[i + 1]!
    const field = fields[i]!.toString('latin1')
    if (field === 'topic') topic = value.toString()
    else if (field === 'data') payload = kept(value)
    else if (field === 'event' || field === 'id') names[field] = value.toString()
  }
  if (topic === undefined || payload === undefined) return undefined
  return { topic, payload, ...names }
}
