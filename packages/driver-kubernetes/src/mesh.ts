import { setTimeout as wait } from 'node:timers/promises'
import { Acceptance } from './acceptance.ts'
import type { FoundPeer, PeerFinder } from './finders/peer-finder.ts'
import { type Numbered, Peer } from './peer.ts'
import type { Answer, Post } from './post.ts'
import type { Postman } from './postman.ts'

/** What a {@link Mesh} needs. */
export interface MeshOptions {
  readonly postman: Postman
  readonly finder: PeerFinder
  readonly beatMs: number
  readonly maxQueueBytes: number
  /** The highest number that this replica has seen of each other. */
  readonly seen: () => Record<string, number>
  /** A replica answered for the first time. */
  readonly onGreeted: (answer: Answer) => void
  /** Neither the finder nor any peer can be reached, or one of them can again. */
  readonly onCutOff: (isCutOff: boolean, error?: unknown) => void
  /** Messages may be missing after a time when this replica was cut off. */
  readonly onGap: () => void
}

/** A peer that is not listed counts as gone when it was not heard for so long. */
const FORGET_MS = 10_000

/** All other replicas: who they are, and what is under way to them. */
export class Mesh {
  readonly #options: MeshOptions
  readonly #peers = new Map<string, Peer>()
  readonly #acceptance = new Acceptance()
  /** Whether each address that the finder told last is ready. */
  #listed = new Map<string, boolean>()
  /** Addresses of this replica itself. */
  readonly #own = new Set<string>()
  /** Those that have not answered the first hello, and since when it is said. */
  readonly #greetings = new Map<Peer, number>()
  /** Of these, those that a start waits for: somebody may be there. */
  readonly #awaited = new Set<Peer>()
  #onGreetingsOver: (() => void) | undefined
  #highest = 0
  #lost: { readonly error: unknown } | undefined
  #cutOff = false
  #beats: NodeJS.Timeout | undefined

  constructor(options: MeshOptions) {
    this.#options = options
    const { address } = options.postman.head
    if (address !== undefined) this.#own.add(address)
  }

  /** The number of the last message. */
  get highest(): number {
    return this.#highest
  }

  get isCutOff(): boolean {
    return this.#cutOff
  }

  /** Addresses of peers that were heard of late. */
  get known(): string[] {
    return [...this.#peers.values()].filter(isHeard).map(({ address }) => address)
  }

  /** Finds the peers, and rejects if that cannot be done. */
  async find(): Promise<void> {
    await this.#options.finder.start({
      found: (peers) => this.#found(peers),
      lost: (error) => {
        this.#lost = { error }
        this.#judge()
      },
    })
    this.#beats ??= setInterval(() => this.#beat(), this.#options.beatMs)
  }

  /**
   * Says hello to all addresses, ready or not; resolves once all have answered or refused the connection, or after
   * so many milliseconds.
   */
  async greetAll(withinMs: number): Promise<void> {
    for (const address of this.#listed.keys()) this.#meet(address)
    if (this.#awaited.size === 0) return
    await new Promise<void>((resolve) => {
      const late = setTimeout(resolve, withinMs)
      this.#onGreetingsOver = () => {
        clearTimeout(late)
        resolve()
      }
    })
    this.#onGreetingsOver = undefined
  }

  /** Gives a message its number and posts it to all peers. Resolves once one of them has it, if any can be reached. */
  async post(json: string): Promise<void> {
    const message: Numbered = { number: ++this.#highest, json }
    for (const peer of this.#peers.values()) peer.add(message)
    if (this.#isAlone()) return
    await this.#acceptance.of(message.number)
  }

  /** A post of a peer came in. */
  heard({ sender, address, peers = [], bye = false }: Post): void {
    if (address === undefined) return
    if (bye) {
      for (const peer of this.#peers.values()) if (peer.sender === sender) this.#remove(peer)
      return
    }
    const peer = this.#peer(address)
    const isNew = !peer.active
    if (peer.sender !== sender) {
      peer.sender = sender
      peer.renew()
    }
    peer.heardAt = performance.now()
    this.#activate(peer)
    peer.wake()
    if (this.#cutOff) peer.failing = false
    if (isNew) this.#review()
    this.#judge()
    this.#learn(peers)
  }

  /** Posts what is queued, as far as peers take it, and takes leave. */
  async leave(withinMs: number): Promise<void> {
    this.#options.finder.stop()
    clearInterval(this.#beats)
    const leaving = Promise.all(
      [...this.#peers.values()].map(async (peer) => {
        await peer.flushed()
        await peer.bye()
      }),
    )
    const late = new AbortController()
    await Promise.race([leaving, wait(withinMs, undefined, late).catch(() => {})])
    late.abort()
    for (const peer of this.#peers.values()) this.#remove(peer)
    this.#acceptance.refuse(new Error('The driver was closed.'))
    this.#options.postman.close()
  }

  #found(found: readonly FoundPeer[]): void {
    const before = this.#listed
    this.#listed = new Map(found.map(({ address, ready }) => [address, ready]))
    this.#lost = undefined
    for (const address of this.#listed.keys()) if (!this.#own.has(address)) this.#peer(address)
    if (this.#options.finder.complete) {
      for (const [address, peer] of this.#peers)
        if (before.has(address) && !this.#listed.has(address)) this.#remove(peer)
    }
    this.#review()
  }

  /** Posts to those that are ready or were heard, and forgets the others. */
  #review(): void {
    for (const [peer, since] of this.#greetings) {
      if (performance.now() - since < FORGET_MS) continue
      peer.greet(false)
      this.#greeted(peer)
    }
    const wanted = [...this.#peers.values()].filter((peer) => this.#isWanted(peer))
    // First these, which take over what is queued for the others.
    for (const peer of wanted) this.#activate(peer)
    for (const [address, peer] of this.#peers) {
      if (!wanted.includes(peer)) peer.activate(false)
      if (!this.#listed.has(address) && !peer.active && !this.#greetings.has(peer))
        this.#remove(peer)
    }
    this.#judge()
  }

  #isWanted(peer: Peer): boolean {
    if (isHeard(peer)) return true
    if (this.#listed.get(peer.address) !== true) return false
    // A replica that is listed under several addresses, or another than it says, is posted to where it says.
    return !(peer.isIdle && this.#twins(peer).some((twin) => isHeard(twin) && !twin.failing))
  }

  #activate(peer: Peer): void {
    if (peer.active) return
    peer.activate(true)
    const [twin] = this.#twins(peer)
    if (twin !== undefined) peer.takeOver(twin)
  }

  /** The same replica at other addresses where it is posted to. */
  #twins(peer: Peer): Peer[] {
    if (peer.sender === undefined) return []
    return [...this.#peers.values()].filter(
      (other) => other !== peer && other.active && other.sender === peer.sender,
    )
  }

  #beat(): void {
    this.#review()
    for (const peer of this.#peers.values()) peer.tick()
  }

  #peer(address: string): Peer {
    let peer = this.#peers.get(address)
    if (peer === undefined) {
      const { postman, beatMs, maxQueueBytes, seen } = this.#options
      peer = new Peer({
        address,
        postman,
        beatMs,
        maxQueueBytes,
        highest: () => this.#highest,
        beat: () => ({
          seen: { ...seen(), [postman.head.sender]: this.#highest },
          peers: this.known,
        }),
        onAnswer: (answering, answer, upTo) => this.#answered(answering, answer, upTo),
        onFailure: (failing, error) => this.#failed(failing, error),
      })
      this.#peers.set(address, peer)
    }
    return peer
  }

  #meet(address: string): void {
    if (this.#own.has(address)) return
    const peer = this.#peer(address)
    if (peer.sender !== undefined || this.#greetings.has(peer)) return
    this.#greetings.set(peer, performance.now())
    this.#awaited.add(peer)
    peer.greet()
  }

  #learn(addresses: readonly string[]): void {
    if (!this.#options.finder.seeds) return
    for (const address of addresses) this.#meet(address)
  }

  #answered(peer: Peer, answer: Answer, upTo: number): void {
    if (answer.sender === this.#options.postman.head.sender) {
      this.#own.add(peer.address)
      this.#remove(peer)
      return
    }
    if (peer.sender !== answer.sender) {
      peer.sender = answer.sender
      this.#options.onGreeted(answer)
    }
    this.#learn(answer.peers)
    this.#greeted(peer)
    this.#judge()
    this.#acceptance.accept(upTo)
  }

  #failed(peer: Peer, error: unknown): void {
    // Nobody listens there: who starts there later says hello itself.
    if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED') this.#awaitNoMore(peer)
    this.#judge(error)
  }

  #greeted(peer: Peer): void {
    this.#greetings.delete(peer)
    this.#awaitNoMore(peer)
  }

  #awaitNoMore(peer: Peer): void {
    if (this.#awaited.delete(peer) && this.#awaited.size === 0) this.#onGreetingsOver?.()
  }

  #remove(peer: Peer): void {
    peer.end()
    this.#peers.delete(peer.address)
    this.#greeted(peer)
    this.#judge()
  }

  /** Whether no peer can be reached that messages are posted to. */
  #isAlone(): boolean {
    for (const { active, failing } of this.#peers.values()) if (active && !failing) return false
    return true
  }

  /** Lets go of what waits for peers that cannot be reached, and says when there is no way out, or one again. */
  #judge(error?: unknown): void {
    const isAlone = this.#isAlone()
    const isPosting = [...this.#peers.values()].some(({ active }) => active)
    const isCutOff = this.#lost !== undefined && isAlone && isPosting
    if (isCutOff !== this.#cutOff) {
      this.#cutOff = isCutOff
      if (!isCutOff) this.#options.onGap()
      this.#options.onCutOff(isCutOff, error ?? this.#lost?.error)
    }
    if (isCutOff) this.#acceptance.refuse(new Error('No peer and no list of peers can be reached.'))
    else if (isAlone) this.#acceptance.accept(Infinity)
  }
}

function isHeard({ heardAt }: Peer): boolean {
  return performance.now() - heardAt < FORGET_MS
}
