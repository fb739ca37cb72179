import type { Mutation } from './mutants.ts'

const STORE = 'model-store.ts'
const RECORDS = 'model-records.ts'
const STATE = 'model-state.ts'
const REPLICATION = 'model-replication.ts'

/**
 * Rules of the registry, each with a schedule that was found to need it. A rule that is not here is not proven to be needed: some
 * can go in thousands of schedules (that acknowledgements and beats say which change lost, that derived times stand still
 * out of touch, that a start that finds nobody is patient, that replicas which fell silent lately forbid a 404, that connections end
 * when silence is declared, that tombstones outlive a dropped registry, who is asked for a bucket), others these schedules do not reach.
 */
export const MUTATIONS: readonly Mutation[] = [
  {
    rule: 'stamps are above every stamp seen',
    file: STATE,
    text: 'Math.max(this.host.clock.wallTime(), this.last + 1)',
    without: 'this.host.clock.wallTime()',
    seed: 7,
  },
  {
    rule: 'a change waits for every fresh replica',
    file: STORE,
    text: 'return this.others().every((peer) => this.peers.get(peer)!.ack >= call.n)',
    without: 'return true',
    seed: 0,
  },
  {
    rule: 'nothing is answered before the own message came back, or out of touch',
    file: STORE,
    text: 'if (!call.back || !this.inTouch() || !call.delivered) return false',
    without: 'if (!call.delivered) return false',
    seed: 34,
  },
  {
    rule: 'in touch again only after a beat and a half of own beats',
    file: STATE,
    text: ' && this.mono() - this.back > 1.5 * BEAT',
    without: '',
    seed: 292,
  },
  {
    rule: 'a subscription is acknowledged once it delivers',
    file: STATE,
    text: 'for (const before of this.undelivered) top = Math.min(top, before.get(peer) ?? 0)',
    without: '',
    seed: 7,
  },
  {
    rule: 'a removal is a tombstone',
    file: STATE,
    text: 'if (exists(record)) this.negatives.delete(id)',
    without: 'if (!exists(record)) this.records.delete(id)',
    seed: 40,
  },
  {
    rule: 'an unsubscribed topic is kept, off, with its stamp',
    file: RECORDS,
    text: "if (change.stamp > (record.topics[topic]?.stamp ?? '')) record.topics[topic] = change",
    without: `if (change.stamp > (record.topics[topic]?.stamp ?? '')) record.topics[topic] = change
    if (!change.on) delete record.topics[topic]`,
    seed: 68,
  },
  {
    rule: 'topics stamped before the creation do not count',
    file: RECORDS,
    text: 'on && stamp >= record.born',
    without: 'on',
    seed: 0,
  },
  {
    rule: 'expired records stay dormant',
    file: STATE,
    text: "return age < record.set.ttlMs + DORMANT_MS ? 'dormant' : 'none'",
    without: "return 'none'",
    seed: 32,
  },
  {
    rule: 'a hole is asked for',
    file: REPLICATION,
    text: 'if (seen.size > 0 && this.isFresh(from)) this.wantSnapshot(from)',
    without: '',
    seed: 0,
  },
  {
    rule: 'a hole is asked of the sender of the missing numbers',
    file: REPLICATION,
    text: 'if (seen.size > 0 && this.isFresh(from)) this.wantSnapshot(from)',
    without: 'if (seen.size > 0 && this.isFresh(from)) this.wantSnapshot()',
    seed: 349,
  },
  {
    rule: 'an acknowledged number has no hole below it',
    file: REPLICATION,
    text: 'while (seen.delete(top + 1)) top++',
    without: 'for (const n of seen) top = Math.max(top, n)',
    seed: 74,
  },
  {
    rule: 'a bucket that stays different is asked for',
    file: REPLICATION,
    text: '(times >= 3 ? [at] : [])',
    without: '(times >= Infinity ? [at] : [])',
    seed: 61,
  },
  {
    rule: 'a snapshot that stops is asked of the next',
    file: STORE,
    text: `      this.tried.add(this.sync.of)
      this.sync = undefined`,
    without: '',
    seed: 0,
  },
  {
    rule: 'a replica out of touch for the life of tombstones drops its registry',
    file: REPLICATION,
    text: 'if (this.n <= 3 || away <= STALE) return',
    without: 'if (away > 0) return',
    seed: 184,
  },
  {
    rule: 'it announces nothing until it has a snapshot',
    file: STATE,
    text: 'if (this.isStale || this.mono() - Math.max(this.echo, this.bornMono) > STALE) return',
    without: '',
    seed: 184,
  },
  {
    rule: 'unknown ids are asked for',
    file: STORE,
    text: 'if (others.length === 0) {\n      return',
    without: 'if (others.length >= 0) {\n      return',
    seed: 11,
  },
  {
    rule: 'no answer from a fresh replica is not a no',
    file: STATE,
    text: 'if ([...waiting].some((peer) => this.isFresh(peer))) return true',
    without: '',
    seed: 72,
  },
  {
    rule: 'times travel as ages',
    file: RECORDS,
    text: 'const ages = { made: now - record.made, goneAt: now - record.goneAt }',
    without: 'const ages = { made: 0, goneAt: 0 }',
    seed: 88,
  },
  {
    rule: 'a client with a generated id is answered once its own message came back',
    file: STORE,
    text: 'if (!call.back || !this.inTouch() || !call.delivered) return false',
    without:
      "if (call.kind === 'make') return true\n    if (!call.back || !this.inTouch() || !call.delivered) return false",
    seed: 109,
  },
  {
    rule: 'an id is claimed before its topics are told',
    file: STORE,
    text: "await this.call('claim', id, {}, [])",
    without: "await this.call('claim', id, content, [])",
    seed: 11,
  },
  {
    rule: 'what a replica learns late is said to be late',
    file: REPLICATION,
    text: 'this.merge(fragment!, !this.inTouch())',
    without: 'this.merge(fragment!, false)',
    seed: 22,
  },
  {
    rule: 'and so is what it learns from a snapshot',
    file: REPLICATION,
    text: 'this.merge(fragment, true)',
    without: 'this.merge(fragment, false)',
    seed: 26,
  },
]
