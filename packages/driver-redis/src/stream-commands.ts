import type { Buffer } from 'node:buffer'
import type { Redis } from 'ioredis'
import { offsetOf, type StreamInfo, type StreamLog } from './stream-log.ts'

/** An entry of a stream: its id, then fields and values in turn. */
export type StreamEntry = readonly [id: Buffer, fields: readonly Buffer[]]

/** What one look at the streams showed, all of it at one moment. */
export interface StreamsView {
  /** By key; one that does not exist is absent. */
  readonly infos: ReadonlyMap<string, StreamInfo>
  /** By key: the entries after those that were read, at most as many as asked for. */
  readonly entries: ReadonlyMap<string, readonly StreamEntry[]>
}

/** Waits for entries after those that were read; resolves with none after `blockMs`, or at once without. */
export async function readStreams(
  redis: Redis,
  logs: readonly StreamLog[],
  count: number,
  blockMs?: number,
): Promise<StreamsView['entries']> {
  const block = blockMs === undefined ? [] : ['BLOCK', blockMs]
  return entriesOf(await redis.callBuffer('XREAD', ...block, ...readArgs(logs, count)))
}

/** Redis's clock, in milliseconds. */
export async function timeOf(redis: Redis): Promise<number> {
  const [seconds = 0, micros = 0] = await redis.time()
  return seconds * 1_000 + Math.floor(micros / 1_000)
}

/** For each stream, the id of its newest entry, if it has any; `untilMs`: of those no younger than that. */
export async function newestEntries(
  redis: Redis,
  logs: readonly StreamLog[],
  untilMs?: number,
): Promise<(string | undefined)[]> {
  const end = untilMs === undefined ? '+' : String(untilMs)
  const found = await Promise.all(
    logs.map(({ key }) => redis.callBuffer('XREVRANGE', key, end, '-', 'COUNT', 1)),
  )
  return found.map((entries) => (entries as StreamEntry[])[0]?.[0].toString('latin1'))
}

/** Looks at the streams, and takes from them what `trimArgs` has of XTRIM's arguments for each key. */
export async function viewStreams(
  redis: Redis,
  logs: readonly StreamLog[],
  count: number,
  trimArgs: (key: string) => readonly string[],
): Promise<StreamsView> {
  const trims = logs.map(({ key }) => trimArgs(key)).filter((args) => args.length > 0)
  const sent = [
    redis.call('MULTI'),
    ...logs.flatMap(({ key }) => [
      redis.call('EXISTS', key),
      redis.callBuffer('XINFO', 'STREAM', key),
    ]),
    redis.callBuffer('XREAD', ...readArgs(logs, count)),
    ...trims.map((args) => redis.call('XTRIM', ...args)),
    redis.callBuffer('EXEC'),
  ]
  const replies = (await Promise.all(sent)).at(-1) as unknown[]
  const infos = new Map<string, StreamInfo>()
  for (const [i, { key }] of logs.entries()) {
    if (replies[2 * i] !== 0) infos.set(key, infoOf(mustBeReply(replies[2 * i + 1])))
  }
  return { infos, entries: entriesOf(mustBeReply(replies[2 * logs.length])) }
}

function readArgs(logs: readonly StreamLog[], count: number): string[] {
  const keys = logs.map(({ key }) => key)
  return ['COUNT', String(count), 'STREAMS', ...keys, ...logs.map(({ id }) => id)]
}

/** The reply has keys and their entries in turn, or pairs of them, by the version of the protocol. */
function entriesOf(reply: unknown): StreamsView['entries'] {
  const items = (reply ?? []) as unknown[]
  const flat = Array.isArray(items[0]) ? items.flat() : items
  const entries = new Map<string, readonly StreamEntry[]>()
  for (let i = 0; i < flat.length; i += 2)
    entries.set(String(flat[i]), flat[i + 1] as readonly StreamEntry[])
  return entries
}

function infoOf(reply: unknown): StreamInfo {
  const fields = reply as unknown[]
  const value = (name: string): unknown =>
    fields[fields.findIndex((field, i) => i % 2 === 0 && String(field) === name) + 1]
  const added = value('entries-added')
  if (typeof added !== 'number') throw new Error('Streams need Redis 7.0 or later, or Valkey.')
  const first = value('first-entry') as StreamEntry | null
  return {
    last: offsetOf(String(value('last-generated-id'))),
    added,
    length: value('length') as number,
    first: first === null ? 0n : offsetOf(String(first[0])),
  }
}

function mustBeReply(reply: unknown): unknown {
  if (reply instanceof Error) throw reply
  return reply
}
