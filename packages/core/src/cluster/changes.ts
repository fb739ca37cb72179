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
  /** Oldest first. There may be very many: none is looked at without a reason. */
  readonly #calls = new Set<Call>()
  /** The same by the number of the message that told of them last, in their order. */
  readonly #byNumber = new Map<number, Call>()
  /** Of those something was heard. */
  readonly #heard = new Set<Call>()

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
    })
  }

  /** An own message came back. */
  back(n: number): void {
    const call = this.#byNumber.get(n)
    if (call === undefined) return
    call.isBack = true
    this.#heard.add(call)
  }

  /** What another replica says of changes: the latest stamp counts. */
  hear(says: Says): void {
    for (const [n, verdict] of says) {
      const call = this.#byNumber.get(n)
      if (call === undefined || verdict <= (call.verdict ?? '')) continue
      call.verdict = verdict
      this.#heard.add(call)
    }
  }

  /** Whether this replica is making a client of that id, which was chosen. */
  isClaiming(id: string): boolean {
    for (const call of this.#calls) if (call.kind === 'claim' && call.id === id) return true
    return false
  }

  /** Goes on with all that waited for something that is there now. */
  work(): void {
    const { peers, settings } = this.#options
    const { mono } = peers
    for (const call of this.#calls) {
      if (mono - call.begunAt <= settings.changeTimeoutMs) break
      this.#refuse(call, timeout(call.id))
    }
    const held = this.#heldUpTo()
    for (const call of this.#heard) this.#workOn(call, held)
    this.#heard.clear()
    for (const [n, call] of this.#byNumber) {
      if (n > held) break
      this.#workOn(call, held)
    }
  }

  /** Gives up all of them. */
  end(error: StreamerError): void {
    for (const call of this.#calls) call.reject(error)
    this.#calls.clear()
    this.#byNumber.clear()
    this.#heard.clear()
  }

  #workOn(call: Call, held: number): void {
    const { stamps, registry } = this.#options
    if (call.verdict === EXISTS) {
      this.#refuse(call, taken(call.id))
    } else if (call.verdict !== undefined) {
      stamps.saw(call.verdict)
      this.#issue(call)
    } else if (call.isBack && call.isDelivered && call.n <= held) {
      const isLoser = call.kind === 'claim' && registry.get(call.id)?.born !== call.stamp
      if (isLoser) {
        this.#refuse(call, taken(call.id))
      } else {
        this.#forget(call)
        call.resolve()
      }
    }
  }

  #refuse(call: Call, error: StreamerError): void {
    this.#forget(call)
    call.reject(error)
  }

  #forget(call: Call): void {
    this.#calls.delete(call)
    this.#byNumber.delete(call.n)
    this.#heard.delete(call)
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
    if (this.#calls.has(call)) this.#workOn(call, this.#heldUpTo())
  }

  /** The number up to which every fresh replica has noted what was told. */
  #heldUpTo(): number {
    const { peers } = this.#options
    if (!peers.isInTouch) return 0
    return Math.min(...peers.fresh().map((replica) => peers.get(replica)!.acknowledged))
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
    this.#byNumber.delete(call.n)
    call.n = channel.publish({ kind: 'record', fragment, op: { kind, stamp, topics } })
    this.#byNumber.set(call.n, call)
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
