import { Buffer } from 'node:buffer'
import * as fc from 'fast-check'

const pieces = [
  '\r',
  '\n',
  '\r\n',
  '\0',
  '\uFEFF',
  '\u2028',
  '\u0085',
  '\t',
  ' ',
  ':',
  '.',
  '*',
  '😀',
  '𝄞',
  'é',
  '\uD800',
  'a',
  'data: forged',
  'event: forged',
  'id: forged',
  'retry: 1',
  '\n\ndata: forged\n\n',
  '0\r\n\r\n',
]

/** Text that tries to be more than one line, field, event or chunk; also empty, and any text at all. */
export const hostileText: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: fc.array(fc.constantFrom(...pieces), { maxLength: 6 }).map(joined) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
)

/** What UTF-8 makes of text: U+FFFD of halves of surrogate pairs. */
export function asUtf8(text: string): string {
  return Buffer.from(text).toString()
}

/** What a browser makes of it: every line break becomes a line feed. */
export function asBrowserSees(text: string): string {
  return asUtf8(text).replaceAll(/\r\n|\r/g, '\n')
}

function joined(parts: string[]): string {
  return parts.join('')
}
