/** Whether a value from outside is what it should be. */
export type Check = (value: unknown) => boolean

/** A text of at most so many characters. */
export function text(max: number): Check {
  return (value) => typeof value === 'string' && value.length <= max
}

/** A whole number from 0. */
export const count: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0

/** Any number that can be reckoned with. */
export const number: Check = (value) => typeof value === 'number' && Number.isFinite(value)

export const flag: Check = (value) => typeof value === 'boolean'

/** A JSON object, whatever is in it. */
export const object: Check = (value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export function listOf(item: Check): Check {
  return (value) => Array.isArray(value) && value.every(item)
}

/** A list with exactly these. */
export function tupleOf(...items: readonly Check[]): Check {
  return (value) =>
    Array.isArray(value) &&
    value.length === items.length &&
    items.every((item, i) => item(value[i]))
}

/** An object with these, and perhaps others, which nobody reads. */
export function shapeOf(fields: Readonly<Record<string, Check>>): Check {
  const checks = Object.entries(fields)
  return (value) =>
    object(value) &&
    checks.every(([name, check]) => check((value as Record<string, unknown>)[name]))
}

/** The same, or nothing at all. */
export function optional(check: Check): Check {
  return (value) => value === undefined || check(value)
}
