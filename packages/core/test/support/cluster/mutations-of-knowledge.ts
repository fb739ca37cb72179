import type { Mutation } from './mutation.ts'

const PEERS = 'peers.ts'
const RECORD = 'record.ts'
const REGISTRY = 'registry.ts'
const REPLICA = 'replica.ts'
const SNAPSHOTS = 'snapshots.ts'
const SLOW = 'behind with a slow clock'
const REMOVED = 'behind what was removed'
const AWAY = 'away for longer than removals'
const OUTAGE = 'an outage that outlasts removals'
const STARTING = 'a start among changes'

/** What was removed stays so. */
export const REMOVAL_RULES: readonly Mutation[] = [
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
    rule: 'nor for what one knows that has nothing yet',
    file: SNAPSHOTS,
    text: 'this.hasOne ? bounded(peers.mono - this.#wholeAt) : 0',
    by: 'bounded(peers.mono - this.#wholeAt)',
    schedule: 'an outage with starts in it',
  },
  {
    rule: 'one that starts takes no snapshot of one that was away',
    file: SNAPSHOTS,
    text: ' || (part.isStale && !this.hasOne && !this.isStale)',
    by: '',
    schedule: 'an outage with starts in it',
  },
]

/** Clients live for as long as they should. */
export const TIME_RULES: readonly Mutation[] = [
  {
    rule: 'time takes effect by itself',
    file: REPLICA,
    text: '    registry.sweep()\n',
    by: '',
    schedule: SLOW,
  },
  {
    rule: 'a connection is announced',
    file: 'replicated-client-store.ts',
    text: `    replica.announce(id, false)
    return before`,
    by: '    return before',
  },
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
    schedule: 'told long after',
    limits: 'own',
  },
]

/** A replica says only what it can know. */
export const ANSWER_RULES: readonly Mutation[] = [
  {
    rule: 'in touch only once own beats came back for a beat and a half',
    file: PEERS,
    text: ' && this.mono - this.#backAt > 1.5 * beatMs',
    by: '',
    seed: 101,
  },
  {
    rule: 'ready when every fresh beat names it and is applied',
    file: REPLICA,
    text: 'peers.get(replica)!.namesUs && this.#hasHeard(replica)',
    by: 'replica !== undefined',
    schedule: STARTING,
  },
  {
    rule: 'one that starts listens for others before it begins with nothing',
    file: SNAPSHOTS,
    text: '} else if (peers.now - this.#bornAt > settings.silentMs) {',
    by: '} else {',
    schedule: 'a start in silence',
  },
  {
    rule: 'unknown ids are asked for',
    file: 'asks.ts',
    text: 'if (others.length === 0) return',
    by: "if (others.length >= 0) return Promise.resolve('no')\n    return",
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
    file: 'asks.ts',
    text: 'if (peers.fresh().some((replica) => !denials.has(replica))) return true',
    by: 'void denials',
    schedule: 'asked in vain',
  },
  {
    rule: 'nor is one from a replica that fell silent lately',
    file: 'asks.ts',
    text: 'return peers.hasLost(host.clientTtlMs)',
    by: 'return false',
    schedule: 'known to a silent one',
  },
  {
    rule: 'nor does one that started with nothing know',
    file: 'asks.ts',
    text: ' || sinceEmptyMs() < host.clientTtlMs) return true',
    by: ') return true',
    schedule: 'known to none that started',
  },
]
