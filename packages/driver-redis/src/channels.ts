import { isPattern, type TopicPattern } from '@asbru/core'

/** Something that Redis can be asked to deliver: a channel, or all channels that a glob matches. */
export interface Channel {
  readonly kind: 'subscribe' | 'psubscribe'
  readonly name: string
}

/** The channels that carry what a topic or pattern is to deliver, and perhaps more: `*` matches dots too. */
export function channelsOf(topic: TopicPattern, prefix: string): Channel[] {
  if (!isPattern(topic)) return [{ kind: 'subscribe', name: prefix + topic }]
  if (!topic.endsWith('**')) return [globOf(topic, prefix)]
  const stem = topic.slice(0, -'.**'.length)
  if (stem === '') return [globOf('*', prefix)]
  // `a.*` takes in `a.b` and all below; `a.b` and what is below it need one channel each.
  if (stem.endsWith('*')) return [globOf(stem, prefix)]
  return [...channelsOf(stem, prefix), globOf(`${stem}.*`, prefix)]
}

function globOf(pattern: TopicPattern, prefix: string): Channel {
  return { kind: 'psubscribe', name: escape(prefix) + pattern.split('*').map(escape).join('*') }
}

function escape(text: string): string {
  return text.replaceAll(/[\\*?[\]]/g, String.raw`\$&`)
}
