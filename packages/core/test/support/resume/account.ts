import { matches } from '../../../src/index.ts'
import type { Browser, Got, Published } from './browser.ts'
import { isLogKind, type Plan } from './plan.ts'

/** Without a log, a gap may come so much later than other messages, in milliseconds. */
const LATE_MS = 15_000

/** What a browser got, beside what it should have got. */
export interface Account {
  readonly failures: string[]
  /** Messages that came again. */
  readonly repeated: number
  readonly gaps: number
  /** Gaps where nothing was missed, by their reasons. */
  readonly needless: Got[]
}

/**
 * Compares. With logs each message that is owed came once and in the order of its log, or a gap came behind its
 * publication and before the next of that log; without, at least once, or a gap before anything much younger.
 */
export function accountOf(
  { name, got, spans, waived }: Browser,
  published: readonly Published[],
  { kind }: Plan,
): Account {
  const owed = published.filter(
    ({ uid, at, topic }) =>
      !waived.has(uid) &&
      spans.some(
        ({ subscription, from, to }) => from <= at && at < to && matches(subscription, topic),
      ),
  )
  const failures: string[] = []
  const times = new Map<number, number>()
  const last = new Map<string, number>()
  let repeated = 0
  for (const { message } of got) {
    if (message === undefined) continue
    const { uid, lane } = message
    const count = (times.get(uid) ?? 0) + 1
    times.set(uid, count)
    if (count > 1) repeated++
    if (!isLogKind(kind)) continue
    if (count > 1) failures.push(`${name}: message ${uid} came twice`)
    else if (uid < (last.get(lane) ?? -1)) failures.push(`${name}: message ${uid} is out of order`)
    last.set(lane, uid)
  }
  const lost = owed.filter(({ uid }) => !times.has(uid))
  for (const message of lost) {
    if (isTold(message, got, isLogKind(kind))) continue
    const { uid, topic, lane, at } = message
    failures.push(
      `${name}: message ${uid} of ${topic} in ${lane}, published at ${at}, never came, and no gap says so`,
    )
  }
  const missed = published.filter(
    ({ uid, topic }) =>
      !times.has(uid) && spans.some(({ subscription }) => matches(subscription, topic)),
  )
  const gaps = got.filter(({ gap }) => gap !== undefined).length
  return { failures, repeated, gaps, needless: needlessOf(got, missed, isLogKind(kind)) }
}

function isTold(message: Published, got: readonly Got[], hasLog: boolean): boolean {
  let isPast = false
  for (const { at, message: other, gap, isOpening } of got) {
    if (gap !== undefined) {
      const concerns =
        gap.topics?.some((topic) => matches(topic, message.topic)) ?? (!isPast || isOpening)
      if (at >= message.at && concerns) return true
    } else if (!hasLog) {
      if (other!.at > message.at + LATE_MS) return false
    } else if (isNext(other!, message)) {
      // A gap of some topics may come behind messages of others.
      isPast = true
      if (other!.topic === message.topic) return false
    }
  }
  return false
}

function isNext(other: Published, message: Published): boolean {
  return other.lane === message.lane && other.uid > message.uid
}

/** A gap stands for something that did not come, of before the client had its topic at the earliest. */
function needlessOf(got: readonly Got[], missed: readonly Published[], hasLog: boolean): Got[] {
  return got.filter(({ at, gap }, index) => {
    if (gap === undefined) return false
    const isNeeded = missed.some((message) => {
      if (message.at > at) return false
      if (!hasLog) return message.at > at - LATE_MS
      const isBefore = got.slice(0, index).some((other) => isNextOf(other, message))
      const isBehind = got
        .slice(index)
        .some(({ message: other }) => other?.lane === message.lane && other.uid < message.uid)
      return !isBefore && !isBehind
    })
    return !isNeeded
  })
}

function isNextOf({ message: other }: Got, message: Published): boolean {
  return other !== undefined && isNext(other, message)
}
