import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import {
  type Driver,
  type OutgoingMessage,
  type Receiver,
  type TopicPattern,
  TopicSet,
} from '@asbru/core'
import type { PeerFinder } from './finders/peer-finder.ts'
import { peerAddressOf } from './finders/static-peers.ts'
import { peerHandler, type PeerHandler } from './handler.ts'
import { Mesh } from './mesh.ts'
import { type Answer, type Post, postedMessage } from './post.ts'
import { Postman } from './postman.ts'
import { Senders } from './senders.ts'
import { Signer } from './signature.ts'

/** What a {@link kubernetesDriver} is told. */
export interface KubernetesDriverOptions {
  /** Finds the other replicas. */
  peers: PeerFinder
  /**
   * `host:port` where peers reach the handler of this replica; a function is asked when the driver is opened.
   * @default unknown: only peers that list it post to it
   */
  address?: string | (() => string)
  /** Shared by all replicas: signs what they post. @default none: any post is taken */
  secret?: string
  /** How long a start waits for a finder that cannot look, in milliseconds; 0 for ever. @default 10_000 */
  startTimeoutMs?: number
  /** How long a start waits for peers that do not answer, in milliseconds. @default 5_000 */
  greetTimeoutMs?: number
  /** How long one post may take, in milliseconds. @default 2_000 */
  timeoutMs?: number
  /** How often peers are told what was seen, in milliseconds. @default 1_000 */
  beatMs?: number
  /** How many bytes may wait for one peer; past it the oldest messages go. @default 8_388_608 */
  maxQueueBytes?: number
}

/** A driver that peers post to. */
export interface KubernetesDriver extends Driver {
  /** Answers posts of peers: to be mounted at {@link SEND_PATH} of a listener that peers reach, before `open`. */
  readonly handler: PeerHandler
}

const RETRY_MS = 250
/** A peer that is busy may take the whole time of a post twice: for what is under way, and for what waits. */
const LEAVE_MS = 5_000
const EIGHT_MEBIBYTES = 8_388_608
/** What fits into the body of one post, in base64. */
const MAX_PAYLOAD_BYTES = 8 * 1024 * 1024

/**
 * Carries messages from replica to replica, without a broker: each posts what it publishes to all others.
 *
 * @example
 * const driver = kubernetesDriver({ peers: endpointSlices({ service: 'asbru', port: 7070 }), secret })
 * createServer(driver.handler).listen(7070)
 * const streamer = new Streamer({ driver })
 */
export function kubernetesDriver(options: KubernetesDriverOptions): KubernetesDriver {
  const fanOut = new FanOut(options)
  return {
    name: 'kubernetes',
    capabilities: {
      patterns: true,
      headers: true,
      positions: false,
      ordering: 'publisher',
      shared: true,
    },
    handler: peerHandler({
      signer: fanOut.signer,
      onPost: (post) => fanOut.posted(post),
      onMessage: (message) => fanOut.deliver(message),
    }),
    open: (receiver, { namespace }) => fanOut.open(receiver, namespace),
    subscribe: async (topic) => fanOut.wants(topic, true),
    unsubscribe: async (topic) => fanOut.wants(topic, false),
    publish: (message) => fanOut.publish(message),
    close: () => fanOut.close(),
  }
}

type State = 'new' | 'opening' | 'open' | 'closed'

/** One replica among its peers. */
class FanOut {
  readonly signer: Signer | undefined
  readonly #options: KubernetesDriverOptions
  readonly #sender = randomUUID()
  readonly #topics = new TopicSet()
  readonly #senders = new Senders(() => this.#gap('messages-dropped'))
  readonly #closing = new AbortController()
  #state: State = 'new'
  #namespace = ''
  #receiver: Receiver | undefined
  #mesh: Mesh | undefined
  #checks: NodeJS.Timeout | undefined
  #closed: Promise<void> | undefined

  constructor(options: KubernetesDriverOptions) {
    this.#options = options
    this.signer = options.secret === undefined ? undefined : new Signer(options.secret)
  }

  async open(receiver: Receiver, namespace: string): Promise<void> {
    if (this.#state !== 'new') throw new Error(`The kubernetes driver is ${this.#state}.`)
    const { greetTimeoutMs = 5_000, beatMs = 1_000 } = this.#options
    const mesh = this.#meshOf(namespace, beatMs)
    this.#state = 'opening'
    this.#receiver = receiver
    this.#namespace = namespace
    this.#mesh = mesh
    try {
      await this.#find(mesh)
      await mesh.greetAll(greetTimeoutMs)
      if (this.#isClosed()) throw new Error('The kubernetes driver was closed.')
    } catch (error) {
      if (!this.#isClosed()) {
        this.#state = 'new'
        await mesh.leave(0)
      }
      throw error
    }
    this.#state = 'open'
    this.#checks = setInterval(() => this.#senders.check(), beatMs)
    receiver.status({ type: mesh.isCutOff ? 'reconnecting' : 'connected' })
  }

  wants(topic: TopicPattern, wanted: boolean): void {
    this.#mustBeOpen()
    if (wanted) this.#topics.add(topic)
    else this.#topics.delete(topic)
  }

  async publish(message: OutgoingMessage): Promise<void> {
    this.#mustBeOpen()
    if (message.payload.length > MAX_PAYLOAD_BYTES)
      throw new RangeError(`Peers take no payload of more than ${MAX_PAYLOAD_BYTES} bytes.`)
    if (this.#mesh!.isCutOff) throw new Error('No peer and no list of peers can be reached.')
    const json = JSON.stringify(postedMessage(message))
    // The publisher may use its buffer again.
    if (this.#topics.delivers(message.topic))
      this.#receiver!.message({ ...message, payload: Buffer.from(message.payload) })
    await this.#mesh!.post(json)
  }

  /** Takes a post of a peer, and says what it is answered. */
  posted(post: Post): Answer | undefined {
    const mesh = this.#mesh
    if (mesh === undefined || this.#isClosed() || post.namespace !== this.#namespace)
      return undefined
    if (post.sender !== this.#sender) {
      mesh.heard(post)
      for (const message of this.#senders.take(post)) this.deliver(message)
      if (post.seen !== undefined && this.#state === 'open') {
        const { [this.#sender]: _, ...others } = post.seen
        this.#senders.claims(others)
      }
    }
    return {
      sender: this.#sender,
      highest: mesh.highest,
      seen: this.#senders.seen(),
      peers: mesh.known,
    }
  }

  deliver(message: OutgoingMessage): void {
    if (this.#state === 'open' && this.#topics.delivers(message.topic))
      this.#receiver!.message(message)
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close())
  }

  async #close(): Promise<void> {
    const wasOpen = this.#state === 'open'
    this.#state = 'closed'
    this.#closing.abort(new Error('The kubernetes driver was closed.'))
    clearInterval(this.#checks)
    this.#options.peers.stop()
    await this.#mesh?.leave(wasOpen ? LEAVE_MS : 0)
    this.#receiver?.status({ type: 'closed' })
  }

  #meshOf(namespace: string, beatMs: number): Mesh {
    const { peers, address, timeoutMs = 2_000, maxQueueBytes = EIGHT_MEBIBYTES } = this.#options
    const own = typeof address === 'function' ? address() : address
    const head = {
      sender: this.#sender,
      namespace,
      ...(own !== undefined && { address: peerAddressOf(own) }),
    }
    return new Mesh({
      postman: new Postman({ head, signer: this.signer, timeoutMs }),
      finder: peers,
      beatMs,
      maxQueueBytes,
      seen: () => this.#senders.seen(),
      onGreeted: ({ sender, highest, seen }) => {
        // Of those that it knows, what was before this replica's time is not missing.
        const before = this.#state === 'opening' ? seen : {}
        const { [this.#sender]: _, ...others } = { ...before, [sender]: highest }
        this.#senders.startAfter(others)
      },
      onCutOff: (isCutOff, error) => {
        if (this.#state === 'open')
          this.#receiver!.status(isCutOff ? { type: 'reconnecting', error } : { type: 'connected' })
      },
      onGap: () => this.#gap('broker-reconnected'),
    })
  }

  /** Tries until the finder can look, or the time is over. */
  async #find(mesh: Mesh): Promise<void> {
    const { startTimeoutMs = 10_000 } = this.#options
    const until = startTimeoutMs === 0 ? Infinity : performance.now() + startTimeoutMs
    for (;;) {
      try {
        await mesh.find()
        return
      } catch (error) {
        if (performance.now() + RETRY_MS > until || this.#isClosed()) throw error
        await wait(RETRY_MS, undefined, { signal: this.#closing.signal })
      }
    }
  }

  #gap(reason: 'messages-dropped' | 'broker-reconnected'): void {
    if (this.#state === 'open') this.#receiver!.status({ type: 'gap', reason })
  }

  #isClosed(): boolean {
    return this.#state === 'closed'
  }

  #mustBeOpen(): void {
    if (this.#state !== 'open') throw new Error(`The kubernetes driver is ${this.#state}.`)
  }
}
