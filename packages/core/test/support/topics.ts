import * as fc from 'fast-check'

const name = fc.constantFrom('a', 'b', 'pets', 'é😀')
const segment = fc.oneof(name, fc.constant('*'))

/** Topics of few names, so that patterns meet them. */
export const topic: fc.Arbitrary<string> = fc
  .array(name, { minLength: 1, maxLength: 4 })
  .map((segments) => segments.join('.'))

/** Topics, and patterns with `*` anywhere and `**` at the end. */
export const pattern: fc.Arbitrary<string> = fc
  .tuple(fc.array(segment, { maxLength: 4 }), fc.boolean())
  .filter(([segments, rest]) => rest || segments.length > 0)
  .map(([segments, rest]) => [...segments, ...(rest ? ['**'] : [])].join('.'))

/** What protocol.md says of patterns, without a thought of speed; reserved topics apart. */
export function slowlyMatches(wanted: string, given: string): boolean {
  const source = wanted
    .split('.')
    .map((part) =>
      part === '**' ? '(?:[^.]+(?:\\.|$))*' : `${part === '*' ? '[^.]+' : part}(?:\\.|$)`,
    )
    .join('')
  return new RegExp(`^${source}$`, 'u').test(given)
}
