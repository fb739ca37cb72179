import type { TopicPattern } from '../driver.ts'
import type { RelayEvent } from './event.ts'

/**
 * What names an event that its publisher gave no name: the subscription that it came by, or nothing,
 * so that it arrives at `onmessage`.
 */
export type EventNaming = 'topic' | 'publisher'

/** The name by which a subscriber knows an event. */
export function nameFor(
  event: RelayEvent,
  subscription: TopicPattern,
  naming: EventNaming,
): string | undefined {
  return event.name ?? (naming === 'topic' ? subscription : undefined)
}

/** The name of a message to one client. */
export function directName(event: RelayEvent): string {
  return event.name ?? 'direct'
}
