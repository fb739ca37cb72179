/** Times in milliseconds on one monotonic clock; stamps are text in the order of time, '' is before all. */
export interface ModelRecord {
  born: string
  made: number
  gone: string
  goneAt: number
  set: { stamp: string; ttlMs: number; metadata: Record<string, unknown>; madeAt: string }
  topics: Record<string, { stamp: string; on: boolean }>
  holders: Record<string, { n: number; ids: string[]; at: number }>
}

/** A record on its way: times are ages. */
export interface Fragment extends ModelRecord {
  id: string
}

export function emptyRecord(ttlMs: number): ModelRecord {
  const set = { stamp: '', ttlMs, metadata: {}, madeAt: '' }
  return { born: '', made: 0, gone: '', goneAt: 0, set, topics: {}, holders: {} }
}

export function exists({ born, gone }: ModelRecord): boolean {
  return born > gone
}

export function topicsOf(record: ModelRecord): string[] {
  return Object.entries(record.topics)
    .filter(([, { stamp, on }]) => on && stamp >= record.born)
    .map(([topic]) => topic)
    .toSorted()
}

export function fragmentOf(id: string, record: ModelRecord, now: number): Fragment {
  const holders = Object.fromEntries(
    Object.entries(record.holders).map(([holder, { n, ids, at }]) => [
      holder,
      { n, ids, at: now - at },
    ]),
  )
  const { born, gone, set, topics } = record
  const ages = { made: now - record.made, goneAt: now - record.goneAt }
  return structuredClone({ id, born, gone, set, topics, holders, ...ages })
}

/** Takes over what is later in a fragment; connections of `own` are known better here. */
export function mergeFragment(record: ModelRecord, from: Fragment, now: number, own: string): void {
  if (from.gone > record.gone) {
    record.gone = from.gone
    record.goneAt = now - from.goneAt
  }
  if (from.born > record.gone) {
    if (!exists(record)) Object.assign(record, { born: from.born, made: now - from.made })
    else if (from.born <= record.born) {
      record.born = from.born
      record.made = Math.min(record.made, now - from.made)
    }
  }
  if (from.set.stamp > record.set.stamp) record.set = from.set
  for (const [topic, change] of Object.entries(from.topics)) {
    if (change.stamp > (record.topics[topic]?.stamp ?? '')) record.topics[topic] = change
  }
  mergeHolders(record, from, now, own)
}

function mergeHolders(record: ModelRecord, from: Fragment, now: number, own: string): void {
  for (const [holder, { n, ids, at: age }] of Object.entries(from.holders)) {
    if (holder === own) continue
    const known = record.holders[holder]
    if (known === undefined || n > known.n) record.holders[holder] = { n, ids, at: now - age }
    else if (n === known.n && ids.length === 0) known.at = Math.min(known.at, now - age)
  }
}
