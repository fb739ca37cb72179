import type { TopicPattern } from '@asbru/core'

/**
 * The subjects of a topic or pattern: `*` is one segment to NATS too, but its `>` stands for at least
 * one, so that a final `**` needs a second subject.
 */
export function subjectsOf(prefix: string, topic: TopicPattern): string[] {
  if (topic === '**') return [`${prefix}>`]
  if (!topic.endsWith('.**')) return [prefix + topic]
  const stem = prefix + topic.slice(0, -'.**'.length)
  return [stem, `${stem}.>`]
}

/** The topic of a subject, or `undefined` for one without the prefix. */
export function topicOf(prefix: string, subject: string): string | undefined {
  return subject.startsWith(prefix) ? subject.slice(prefix.length) : undefined
}

/** Whether there can be a subject that both match; either may have NATS wildcards. */
export function overlap(one: string, other: string): boolean {
  const [a, b] = [one.split('.'), other.split('.')]
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    if (a[i] === '>' || b[i] === '>') return true
    if (a[i] !== b[i] && a[i] !== '*' && b[i] !== '*') return false
  }
  return a.length === b.length
}

/** Whether all subjects that `narrow` matches are matched by `wide` as well. */
export function includes(wide: string, narrow: string): boolean {
  const [a, b] = [wide.split('.'), narrow.split('.')]
  for (let i = 0; i < a.length; i++) {
    if (i >= b.length) return false
    if (a[i] === '>') return true
    if (b[i] === '>' || (a[i] !== '*' && a[i] !== b[i])) return false
  }
  return a.length === b.length
}

/**
 * Returns a prefix that topics can follow.
 * @throws {TypeError} if it is none
 */
export function prefixOf(prefix: string): string {
  if (prefix === '' || (/^[^\s*>]+\.$/.test(prefix) && !/^\.|\.\./.test(prefix))) return prefix
  throw new TypeError(
    `The prefix ${JSON.stringify(prefix)} must end with a dot, and have no wildcard, white space or empty segment.`,
  )
}
