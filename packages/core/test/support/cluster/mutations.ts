import type { Replacement } from './load-store.ts'
import type { MadeSchedule } from './made-schedules.ts'

/** A rule taken out of the source of the store, and where it is needed. */
export interface Mutation extends Replacement {
  readonly rule: string
  /** The made schedule that needs it. @default those of chance */
  readonly schedule?: MadeSchedule
  /** A schedule of chance that needed it: it is tried first, since the rule is seldom needed. */
  readonly seed?: number
  /** @default 'low' */
  readonly limits?: 'low' | 'own'
}

const CHANGES = 'changes.ts'
const PEERS = 'peers.ts'
const RECORD = 'record.ts'
const REGISTRY = 'registry.ts'
const REPLICA = 'replica.ts'
const SNAPSHOTS = 'snapshots.ts'
const STAMPS = 'stamps.ts'
const ACKNOWLEDGEMENTS = 'acknowledgements.ts'
const SLOW = 'behind with a slow clock'
const REMOVED = 'behind what was removed'
const AWAY = 'away for longer than removals'
const OUTAGE = 'an outage that outlasts removals'
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
    schedule: REMOVED,
  },
]

const CHANGE_RULES: readonly Mutation[] = [
  {
    rule: 'a change waits for every fresh replica',
    file: CHANGES,
    text: 'return peers.fresh().every((replica) => peers.get(replica)!.acknowledged >= n)',
    by: 'return n > 0',
    schedule: SLOW,
  },
  {
    rule: 'no change is answered before its own message came back',
    file: CHANGES,
    text: 'if (!isBack || !isDelivered',
    by: 'if (!isDelivered',
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
    text: "if (verdict !== undefined && verdict > (call.verdict ?? ''))",
    by: 'if (verdict === EXISTS)',
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
    text: 'peers.mono - call.begunAt > settings.changeTimeoutMs',
    by: 'call.begunAt < 0',
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
    seed: 95,
  },
  {
    rule: 'a part of the digest that stays different is asked for',
    file: REPLICA,
    text: 'if (differs[bucket]! >= DIFFERING_BEATS) wanted.push(bucket)',
    by: '',
  },
]

const REMOVAL_RULES: readonly Mutation[] = [
  {
    rule: 'a removal is a tombstone',
    file: REGISTRY,
    text: ": entry.gone !== '' && now - entry.goneAt <= settings.tombstoneMs",
    by: ': now < 0',
    schedule: SLOW,
  },
  {
    rule: 'an unsubscribed topic is kept, off, with its stamp',
    file: RECORD,
    text: '    entry.topics.set(topic, {',
    by: `    if (!isOn) entry.topics.delete(topic)
    else entry.topics.set(topic, {`,
    schedule: REMOVED,
  },
  {
    rule: 'topics stamped before the creation do not count',
    file: RECORD,
    text: 'if (isOn && stamp >= entry.born) topics.push(topic)',
    by: 'if (isOn) topics.push(topic)',
    schedule: REMOVED,
  },
  {
    rule: 'a removal ends connections of the earlier client of that id',
    file: REGISTRY,
    text: 'if (entry.gone > gone) this.#endConnections(fragment.id, entry.gone)',
    by: 'void gone',
    schedule: REMOVED,
  },
  {
    rule: 'one that was away for longer than removals are remembered drops what it knows',
    file: SNAPSHOTS,
    text: '      registry.drop()\n',
    by: '',
    schedule: AWAY,
  },
  {
    rule: 'it notices that it was away',
    file: REPLICA,
    text: 'if (this.#beats <= 3 || awayMs <= settings.staleMs) return',
    by: 'if (awayMs >= 0) return',
    schedule: AWAY,
  },
  {
    rule: 'it announces nothing before it has learned what others know',
    file: REPLICA,
    text: 'if (this.#snapshots.isOutdated) return\n',
    by: '',
    schedule: AWAY,
  },
  {
    rule: 'nothing is dropped for what another one knows that was away as long',
    file: SNAPSHOTS,
    text: '!last.isStale && last.whole > this.#awayMs',
    by: 'last.whole >= 0',
    schedule: OUTAGE,
  },
  {
    rule: 'one that was away says so before it has heard itself',
    file: SNAPSHOTS,
    text: 'isStale: this.isOutdated,',
    by: 'isStale: this.isStale,',
    seed: 19,
    limits: 'own',
  },
]

const TIME_RULES: readonly Mutation[] = [
  {
    rule: 'clients expire',
    file: REGISTRY,
    text: "if (age < ttlMs) return 'live'",
    by: "if (age < 3 * ttlMs) return 'live'",
  },
  {
    rule: 'expired clients stay dormant',
    file: REGISTRY,
    text: "return isAwaited || age < ttlMs + settings.dormantMs ? 'dormant' : 'none'",
    by: "return settings === undefined ? 'dormant' : 'none'",
    schedule: 'a stall for longer than the TTL',
  },
  {
    rule: 'times travel as ages',
    file: RECORD,
    text: 'made: Math.round(now - made),',
    by: 'made: made * 0,',
    schedule: 'a life among starts',
  },
  {
    rule: 'so do the times of connections',
    file: RECORD,
    text: 'Math.round(now - at),',
    by: 'at * 0,',
    schedule: 'a life among starts',
  },
  {
    rule: 'what is told again is older by then',
    file: 'channel.ts',
    text: 'Math.round(this.#peers.now - at)',
    by: '0 * at',
    seed: 427,
    limits: 'own',
  },
]

const ANSWER_RULES: readonly Mutation[] = [
  {
    rule: 'in touch only once own beats came back for a beat and a half',
    file: PEERS,
    text: ' && this.mono - this.#backAt > 1.5 * beatMs',
    by: '',
    seed: 101,
  },
  {
    rule: 'unknown ids are asked for',
    file: 'asks.ts',
    text: 'if (others.length === 0) return',
    by: 'if (others.length >= 0) return',
    schedule: 'known to a silent one',
  },
  {
    rule: 'questions end',
    file: 'asks.ts',
    text: 'host.clock.after(settings.askMs, () => this.#end(id, ask))',
    by: 'void [host, settings]',
  },
  {
    rule: 'no answer from a fresh replica is not a no',
    file: REPLICA,
    text: 'for (const replica of waiting) if (peers.isFresh(replica)) return true',
    by: 'void waiting',
    schedule: 'asked in vain',
  },
  {
    rule: 'nor is one from a replica that fell silent lately',
    file: REPLICA,
    text: 'return peers.hasLost(clientTtlMs)',
    by: 'return false',
    schedule: 'known to a silent one',
  },
  {
    rule: 'nor does one that started with nothing know',
    file: REPLICA,
    text: ' || this.#snapshots.sinceEmptyMs < clientTtlMs) return true',
    by: ') return true',
    schedule: 'known to none that started',
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
