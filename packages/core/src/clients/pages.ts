import { StreamerError } from '../errors.ts'
import type { Page } from './client-store.ts'

/** How many items a page has if nobody asked for another number. */
export const DEFAULT_LIMIT = 100

/** One page of what was found, which may be more; `key` tells where the next begins. */
export function pageOf<Found, Item>(
  found: readonly Found[],
  limit: number,
  key: (found: Found) => string,
  item: (found: Found) => Item,
): Page<Item> {
  const shown = found.slice(0, limit)
  const items = shown.map(item)
  return found.length > limit ? { items, next: key(shown.at(-1)!) } : { items }
}

/**
 * The place of a client in lists of clients, after which a page begins; -1 for the first page.
 * @throws {StreamerError} `INVALID_REQUEST`
 */
export function placeOf(after: string | undefined): number {
  if (after === undefined) return -1
  if (/^\d{1,15}$/.test(after)) return Number(after)
  throw new StreamerError('INVALID_REQUEST', '`after` is not the `next` of a list of clients.')
}

/** One page of topics with their numbers of subscribers, in the order of topics. */
export function topicsPageOf(
  subscribers: ReadonlyMap<string, number>,
  after: string | undefined,
  limit: number,
): Page<{ topic: string; subscribers: number }> {
  const sorted = [...subscribers.keys()]
    .filter((topic) => after === undefined || topic > after)
    .toSorted()
  return pageOf(sorted, limit, String, (topic) => ({ topic, subscribers: subscribers.get(topic)! }))
}
