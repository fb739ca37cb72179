import type { Mutation } from './mutation.ts'
import { ANSWER_RULES, REMOVAL_RULES, TIME_RULES } from './mutations-of-knowledge.ts'

const CHANGES = 'changes.ts'
const RECORD = 'record.ts'
const REPLICA = 'replica.ts'
const SNAPSHOTS = 'snapshots.ts'
const STAMPS = 'stamps.ts'
const ACKNOWLEDGEMENTS = 'acknowledgements.ts'
const SLOW = 'behind with a slow clock'
const STARTING = 'a start among changes'

const STAMP_RULES: readonly Mutation[] = [
  {
    rule: 'stamps are above every stamp seen',
    file: STAMPS,
    text: "if (stamp !== '') this.#last = Math.max(this.#last, Number(stamp.slice(0, 13)))",
    by: 'void stamp',
  },
  {
    rule: 'stamps are above the own ones',
    file: STAMPS,
    text: 'Math.max(Math.trunc(this.#clock.wallTime()), this.#last + 1)',
    by: 'Math.max(Math.trunc(this.#clock.wallTime()), this.#last)',
  },
  {
    rule: 'of two topics the later stamp counts',
    file: RECORD,
    text: "if (stamp <= (known?.stamp ?? '')) continue",
    by: '',
    seed: 222,
  },
]

const CHANGE_RULES: readonly Mutation[] = [
  {
    rule: 'a change waits for every fresh replica',
    file: CHANGES,
    text: 'return Math.min(...peers.fresh().map((replica) => peers.get(replica)!.acknowledged))',
    by: 'return Number.POSITIVE_INFINITY',
    schedule: SLOW,
  },
  {
    rule: 'no change is answered before its own message came back',
    file: CHANGES,
    text: 'call.isBack && call.isDelivered',
    by: 'call.isDelivered',
    seed: 62,
  },
  {
    rule: 'the own message counts though a beat overtook it',
    file: REPLICA,
    text: `if (message.kind === 'record') this.changes.back(message.n)
    if (!this.#own.add(message.n)) return
`,
    by: `if (!this.#own.add(message.n)) return
    if (message.kind === 'record') this.changes.back(message.n)
`,
  },
  {
    rule: 'a change that lost is stamped anew',
    file: CHANGES,
    text: "call === undefined || verdict <= (call.verdict ?? '')",
    by: 'call === undefined || verdict !== EXISTS',
    schedule: SLOW,
  },
  {
    rule: 'it is said which change of topics lost',
    file: CHANGES,
    text: "if (now > stamp && now > (latest ?? '')) latest = now",
    by: 'void now',
    schedule: SLOW,
  },
  {
    rule: 'it is said which removal lost',
    file: CHANGES,
    text: "if (kind === 'remove') return exists(entry) ? entry.born : undefined",
    by: "if (kind === 'remove') return undefined",
    schedule: SLOW,
  },
  {
    rule: 'acknowledgements say what lost',
    file: ACKNOWLEDGEMENTS,
    text: 'top, says: this.says(replica) }',
    by: 'top, says: [] }',
    schedule: SLOW,
  },
  {
    rule: 'a claim that lost is refused',
    file: CHANGES,
    text: 'call.verdict === EXISTS) {',
    by: "call.verdict === '') {",
  },
  {
    rule: 'an id is claimed before its topics are told',
    file: 'replicated-client-store.ts',
    text: "await changes.make({ kind: 'claim', id })",
    by: "await changes.make({ kind: 'claim', id, set, on: topics })",
  },
  {
    rule: 'a change that is not acknowledged is given up',
    file: CHANGES,
    text: 'mono - call.begunAt <= settings.changeTimeoutMs',
    by: 'call.begunAt <= mono',
  },
  {
    rule: 'a subscription is acknowledged once it delivers',
    file: ACKNOWLEDGEMENTS,
    text: 'for (const before of this.#undelivered) top = Math.min(top, before.get(replica) ?? 0)',
    by: '',
  },
]

const MESSAGE_RULES: readonly Mutation[] = [
  {
    rule: 'an acknowledged number has no hole below it',
    file: 'numbers.ts',
    text: 'while (this.#ahead.delete(this.#top + 1)) this.#top++',
    by: `this.#top = Math.max(this.#top, ...this.#ahead)
    this.#ahead.clear()`,
    schedule: SLOW,
  },
  {
    rule: 'a hole is asked for',
    file: REPLICA,
    text: 'this.#mend(from, numbers)',
    by: '',
  },
  {
    rule: 'a hole that stays is asked for again',
    file: REPLICA,
    text: 'first <= known.last && mono - known.at < this.settings.beatMs',
    by: 'first <= known.last',
    schedule: STARTING,
  },
  {
    rule: 'where a hole stays, all is asked for',
    file: REPLICA,
    text: 'if (tries > 2) return this.#snapshots.want(replica)',
    by: '',
    schedule: STARTING,
  },
  {
    rule: 'what comes behind others may have been answered before',
    file: REPLICA,
    text: 'isBehind || !peers.isInTouch',
    by: '!peers.isInTouch',
    schedule: 'a subscription that comes late',
  },
  {
    rule: 'so may what comes behind any of several holes',
    file: REPLICA,
    text: 'const isBehind = message.n < numbers.last',
    by: 'const isBehind = numbers.hole !== undefined && message.n <= numbers.hole[1]',
    schedule: 'a subscription that comes late',
  },
  {
    rule: 'so may what comes right after an absence',
    file: REPLICA,
    text: 'isBehind || !peers.isInTouch',
    by: 'isBehind',
    schedule: 'a stall that hears late',
  },
  {
    rule: 'what a snapshot brings counts as applied',
    file: SNAPSHOTS,
    text: 'known.raise(n)',
    by: 'void [known, n]',
    schedule: STARTING,
  },
  {
    rule: 'a snapshot is whole once all its parts came',
    file: SNAPSHOTS,
    text: 'if (last === undefined || parts.size <= last.index) return',
    by: 'if (last === undefined) return',
    schedule: STARTING,
  },
  {
    rule: 'a snapshot that stops is asked of the next',
    file: SNAPSHOTS,
    text: `      this.#tried.add(running.of)
      this.#running = undefined
    }`,
    by: '    }',
    schedule: STARTING,
  },
  {
    rule: 'a part of the digest that stays different is asked for',
    file: REPLICA,
    text: 'if (differs[bucket]! >= DIFFERING_BEATS) wanted.push(bucket)',
    by: '',
  },
  {
    rule: 'a digest that stays different is told again',
    file: REPLICA,
    text: 'this.#snapshots.want(replica, wanted)\n',
    by: 'return this.#snapshots.want(replica, wanted)\n',
    schedule: 'a change in vain',
  },
]

/**
 * Rules of the store, each with what is left of its source without it. A rule that is not here is not shown to be needed by
 * these schedules: mostly another one does the same a little later.
 */
export const MUTATIONS: readonly Mutation[] = [
  ...STAMP_RULES,
  ...CHANGE_RULES,
  ...MESSAGE_RULES,
  ...REMOVAL_RULES,
  ...TIME_RULES,
  ...ANSWER_RULES,
]
