import type { ClientStoreHost } from '../clients/client-store.ts'
import type { TopicPattern } from '../driver.ts'
import { StreamerError } from '../errors.ts'
import { maskId } from '../logger.ts'
import type { Channel } from './channel.ts'
import { EXISTS, type Operation, type Says, type Verdict } from './control-message.ts'
import type { Peers } from './peers.ts'
import { type ClientEntry, exists, type Fragment, fragmentOf } from './record.ts'
import type { Registry } from './registry.ts'
import type { Settings } from './settings.ts'
import type { Stamp, Stamps } from './stamps.ts'

/** A change of one client. */
export interface Change {
  readonly kind: Operation['kind']
  readonly id: string
  /** What it is made with; its stamp is that of the change. */
  readonly set?: Omit<Fragment['set'], 'stamp'>
  readonly on?: ReadonlyMap<TopicPattern, number>
  readonly off?: readonly TopicPattern[]
}

/** A change on its way: answered once every fresh replica has acknowledged it. */
interface Call extends Change {
  readonly begunAt: number
  readonly resolve: () => void
  readonly reject: (error: StreamerError) => void
  /** Number and stamp of the message that told of it last. */
  n: number
  stamp: Stamp
  /** Why it did not take somewhere. */
  verdict: Verdict | undefined
  isBack: boolean
  /** Whether the broker delivers its topics to this replica. */
  isDelivered: boolean
}

/** What it stands on. */
export interface ChangesOptions {
  readonly host: ClientStoreHost
  readonly settings: Settings
  readonly peers: Peers
  readonly stamps: Stamps
  readonly registry: Registry
  readonly channel: Channel
}

/** The changes that this replica makes for its callers. */
export class Changes {
  readonly #options: ChangesOptions
  readonly #calls = new Set<Call>()

  constructor(options: ChangesOptions) {
    this.#options = options
  }

  /**
   * Resolves once the change holds on every fresh replica.
   * @throws {StreamerError} `CHANGE_TIMEOUT`, though it may still take effect; `CLIENT_EXISTS`
   */
  make(change: Change): Promise<void> {
    return new Promise((resolve, reject) => {
      const begunAt = this.#options.peers.mono
      const call: Call = {
        ...change,
        begunAt,
        resolve,
        reject,
        n: 0,
        stamp: '',
        verdict: undefined,
        isBack: false,
        isDelivered: (change.on?.size ?? 0) === 0,
      }
      this.#calls.add(call)
      this.#issue(call)
      if (!call.isDelivered) void this.#deliver(call)
      this.work()
    })
  }

  /** An own message came back. */
  back(n: number): void {
    for (const call of this.#calls) if (call.n === n) call.isBack = true
  }

  /** What another replica says of changes: the latest stamp counts. */
  hear(says: Says): void {
    if (says.length === 0) return
    const verdicts = new Map(says)
    for (const call of this.#calls) {
      const verdict = verdicts.get(call.n)
      if (verdict !== undefined && verdict > (call.verdict ?? '')) call.verdict = verdict
    }
  }

  /** Whether this replica is making a client of that id, which was chosen. */
  isClaiming(id: string): boolean {
    for (const call of this.#calls) if (call.kind === 'claim' && call.id === id) return true
    return false
  }

  /** Goes on with all that waits for something. */
  work(): void {
    for (const call of this.#calls) this.#workOn(call)
  }

  /** Gives up all of them. */
  end(error: StreamerError): void {
    for (const call of this.#calls) call.reject(error)
    this.#calls.clear()
  }

  #workOn(call: Call): void {
    const { peers, settings, stamps, registry } = this.#options
    if (peers.mono - call.begunAt > settings.changeTimeoutMs) {
      this.#refuse(call, timeout(call.id))
    } else if (call.verdict === EXISTS) {
      this.#refuse(call, taken(call.id))
    } else if (call.verdict !== undefined) {
      stamps.saw(call.verdict)
      this.#issue(call)
    } else if (this.#isHeld(call)) {
      const isLoser = call.kind === 'claim' && registry.get(call.id)?.born !== call.stamp
      if (isLoser) {
        this.#refuse(call, taken(call.id))
      } else {
        this.#calls.delete(call)
        call.resolve()
      }
    }
  }

  #refuse(call: Call, error: StreamerError): void {
    this.#calls.delete(call)
    call.reject(error)
  }

  /** A topic that the broker refuses lets the call run out of time. */
  async #deliver(call: Call): Promise<void> {
    const topics = [...(call.on?.keys() ?? [])]
    try {
      await this.#options.host.delivers(topics)
    } catch (error) {
      this.#options.host.logger.warn({ err: error, topics }, 'a topic could not be subscribed to')
      return
    }
    call.isDelivered = true
    this.work()
  }

  #isHeld({ n, isBack, isDelivered }: Call): boolean {
    const { peers } = this.#options
    if (!isBack || !isDelivered || !peers.isInTouch) return false
    return peers.fresh().every((replica) => peers.get(replica)!.acknowledged >= n)
  }

  /** Stamps it, notes it here, and tells all. */
  #issue(call: Call): void {
    const { peers, stamps, registry, channel } = this.#options
    const stamp = stamps.next()
    call.stamp = stamp
    call.verdict = undefined
    call.isBack = false
    const { kind, id, set, on = new Map<TopicPattern, number>(), off = [] } = call
    const { now } = peers
    const entry = registry.entry(id)
    const isMade = kind === 'make' || kind === 'claim'
    if (isMade && registry.stateOf(entry) !== 'live') {
      entry.born = stamp
      entry.made = now
    }
    const fragment: Fragment = {
      ...fragmentOf(entry, now, []),
      ...(kind === 'claim' && { born: stamp }),
      ...(kind === 'remove' && { gone: stamp, goneAt: 0 }),
      ...(set !== undefined && { set: { ...set, stamp } }),
      topics: [
        ...[...on.keys()].map((topic) => [topic, stamp, true] as const),
        ...off.map((topic) => [topic, stamp, false] as const),
      ],
    }
    registry.merge(fragment, { isLate: false, since: on })
    const topics = fragment.topics.map(([topic]) => topic)
    call.n = channel.publish({ kind: 'record', fragment, op: { kind, stamp, topics } })
  }
}

/** Why a claim does not take, whatever the stamps: the client that is there is settled. */
export function claimVerdict(
  entry: ClientEntry | undefined,
  op: Operation,
  { registry, peers, settings, stamps }: Omit<ChangesOptions, 'channel' | 'host'>,
  isClaiming: boolean,
): Verdict | undefined {
  if (op.kind !== 'claim' || entry === undefined || entry.born === op.stamp) return undefined
  if (registry.stateOf(entry) !== 'live') return undefined
  const isAnswered = stamps.isOwn(entry.born) && !isClaiming
  return isAnswered || peers.now - entry.made > settings.changeTimeoutMs ? EXISTS : undefined
}

/** Why a change did not take here, once it was noted. */
export function verdictOf(entry: ClientEntry | undefined, op: Operation): Verdict | undefined {
  if (entry === undefined) return undefined
  const { kind, stamp } = op
  if (kind === 'topics') {
    let latest: Verdict | undefined
    for (const topic of op.topics) {
      const now = entry.topics.get(topic)?.stamp ?? ''
      if (now > stamp && now > (latest ?? '')) latest = now
    }
    return latest
  }
  if (kind === 'remove') return exists(entry) ? entry.born : undefined
  if (kind !== 'claim') return undefined
  if (entry.gone >= stamp) return entry.gone
  return entry.born === stamp ? undefined : EXISTS
}

function timeout(id: string): StreamerError {
  return new StreamerError(
    'CHANGE_TIMEOUT',
    `Not all replicas have noted the change of client ${maskId(id)} in time; it may still take effect. Try again.`,
  )
}

function taken(id: string): StreamerError {
  return new StreamerError('CLIENT_EXISTS', `There is a client ${maskId(id)} already.`)
}
