import { Account, type ReceivedGap } from './account.ts'
import type { SteadyPublisher } from './steady-publisher.ts'
import { until } from './until.ts'

/** A gap that is found by beats comes some of them after the messages that follow it. */
const GAP_WITHIN_MS = 6_000

/** What all clients together got of what was published. */
export interface Balance {
  readonly clients: number
  readonly published: number
  readonly delivered: number
  /** Never came to a client that should have it. */
  readonly lost: number
  /** Of these, those of which no gap told. */
  readonly lostUnsaid: number
  readonly repeated: number
  /** Came after a greater number of the topic, though no gap had told that it was missing. */
  readonly disordered: number
  readonly gaps: number
  readonly gapReasons: Readonly<Record<string, number>>
  /** Of the client that waited longest for its next event. */
  readonly longestSilenceMs: number
}

/** The accounts of all clients. */
export class Ledger {
  readonly #accounts: Account[] = []

  /** Opens an account for a client with these topics. */
  account(topics: readonly string[]): Account {
    const account = new Account(topics)
    this.#accounts.push(account)
    return account
  }

  /** From now on, silence counts. */
  silenceCounts(): void {
    for (const account of this.#accounts) account.silenceCounts()
  }

  /** Resolves once every client has the last message of each of its topics. */
  settled(published: Pick<SteadyPublisher, 'accepted'>): Promise<void> {
    return until('every client has the last message of its topics', 45_000, () =>
      this.#accounts.every((account) =>
        account.topics.every((topic) => account.has(topic, published.accepted.get(topic)!.at(-1)!)),
      ),
    )
  }

  balance({ accepted, topics }: Pick<SteadyPublisher, 'accepted' | 'topics'>): Balance {
    const sum = (count: (account: Account, topic: string) => number): number =>
      this.#accounts
        .flatMap((account) => account.topics.map((topic) => count(account, topic)))
        .reduce((a, b) => a + b, 0)
    const missing = (account: Account, topic: string): number[] =>
      accepted.get(topic)!.filter((number) => !account.has(topic, number))
    const gapReasons: Record<string, number> = {}
    for (const { reason } of this.#accounts.flatMap(({ gaps }) => gaps))
      gapReasons[reason] = (gapReasons[reason] ?? 0) + 1
    return {
      clients: this.#accounts.length,
      published: topics.reduce((all, topic) => all + accepted.get(topic)!.length, 0),
      delivered: sum((account, topic) => account.receipts(topic).length),
      lost: sum((account, topic) => missing(account, topic).length),
      lostUnsaid: sum((account, topic) => {
        return missing(account, topic).filter((number) => !isSaid(account, topic, number)).length
      }),
      repeated: sum((account, topic) => account.repeated(topic)),
      disordered: sum(disorder),
      gaps: this.#accounts.reduce((all, { gaps }) => all + gaps.length, 0),
      gapReasons,
      longestSilenceMs: Math.round(
        Math.max(...this.#accounts.map(({ longestSilenceMs }) => longestSilenceMs)),
      ),
    }
  }
}

/** Whether a gap came after what the client had before the number, and soon after what it got instead. */
function isSaid(account: Account, topic: string, number: number): boolean {
  const receipts = account.receipts(topic)
  const before = receipts.filter((receipt) => receipt.number < number)
  const last = Math.max(...before.map((receipt) => receipt.number))
  const from = before.find((receipt) => receipt.number === last)?.place ?? -1
  const next = receipts.find((receipt) => receipt.number > number)
  const latest = (next?.at ?? Infinity) + GAP_WITHIN_MS
  return account.gaps.some((gap) => tells(gap, topic) && gap.place > from && gap.at <= latest)
}

/** Whether a gap came after what stood before a number when it was passed over, and before the number itself. */
function wasToldOf(account: Account, topic: string, number: number, place: number): boolean {
  const receipts = account.receipts(topic)
  const over = receipts.find((receipt) => receipt.number > number)!
  const before = receipts.findLast((receipt) => {
    return receipt.number < number && receipt.place < over.place
  })
  return account.gaps.some((gap) => {
    return tells(gap, topic) && gap.place > (before?.place ?? -1) && gap.place < place
  })
}

function tells({ topics }: ReceivedGap, topic: string): boolean {
  return topics === undefined || topics.includes(topic)
}

/**
 * Repeats are counted elsewhere: only a number that comes for the first time can be late. One that a gap told of may
 * come after all, from a replica that has it.
 */
function disorder(account: Account, topic: string): number {
  const receipts = account.receipts(topic)
  const seen = new Set<number>()
  let greatest = -1
  let late = 0
  for (const { number, place } of receipts) {
    if (!seen.has(number) && number < greatest && !wasToldOf(account, topic, number, place)) late++
    seen.add(number)
    greatest = Math.max(greatest, number)
  }
  return late
}
