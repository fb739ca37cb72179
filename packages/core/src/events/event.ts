import { Buffer } from 'node:buffer'
import type { GapReason, TopicPattern } from '../driver.ts'
import { encodeEvent, type Frame } from './encode-event.ts'
import { errorFrame, gapFrame, type TopicErrorCode } from './info-messages.ts'

/** What the window holds: an event, or in its place word of why there is none. */
export type WindowItem = RelayEvent | TopicError | Gap | Boundary

/** A message as this replica relays it: encoded once for each name it goes by, for all connections. */
export class RelayEvent {
  readonly kind = 'event'
  readonly cursor: string
  /** Empty for a message to one client. */
  readonly topic: string
  /** The one client that it is for. */
  readonly to: string | undefined
  /** The event name that the publisher set. */
  readonly name: string | undefined
  readonly id: string | undefined
  #payload: Uint8Array
  #lastName: string | undefined
  #lastFrame: Frame | undefined
  #otherFrames: Map<string, Frame> | undefined
  #settled = false

  constructor(
    cursor: string,
    message: { topic: string; payload: Uint8Array; name?: string; id?: string; to?: string },
  ) {
    this.cursor = cursor
    this.topic = message.topic
    this.to = message.to
    this.name = message.name
    this.id = message.id
    this.#payload = message.payload
  }

  /** The same for one whose stream stands at another cursor with it. */
  at(cursor: string): RelayEvent {
    const { topic, to, name, id } = this
    return new RelayEvent(cursor, {
      topic,
      payload: this.#payload,
      ...(to !== undefined && { to }),
      ...(name !== undefined && { name }),
      ...(id !== undefined && { id }),
    })
  }

  /** Roughly what it holds in memory. */
  get bytes(): number {
    return 400 + this.#payload.length + 2 * this.topic.length
  }

  /** The bytes for connections that know the event as `name`; without a name it has no `event:` line. */
  frame(name: string | undefined): Frame {
    if (this.#lastFrame !== undefined && this.#lastName === name) return this.#lastFrame
    const key = `event ${name ?? ''}`
    const frame = this.#otherFrames?.get(key) ?? this.#encode(name)
    if (this.#lastFrame === undefined) {
      this.#lastName = name
      this.#lastFrame = frame
    } else {
      this.#keep(key, frame)
    }
    return frame
  }

  /** The same with the topic beside the data, for connections with `?envelope=1`. */
  envelope(name: string | undefined): Frame {
    const key = `envelope ${name ?? ''}`
    let frame = this.#otherFrames?.get(key)
    if (frame === undefined) {
      const data = JSON.stringify({
        topic: this.topic,
        data: Buffer.from(this.#payload).toString(),
        event: this.name,
        id: this.id,
      })
      frame = encodeEvent({ id: this.cursor, ...(name !== undefined && { event: name }), data })
      this.#keep(key, frame)
    }
    return frame
  }

  /** Forgets all encodings but the first, once the event has gone to all live connections. */
  settle(): void {
    this.#settled = true
    this.#otherFrames = undefined
  }

  #encode(name: string | undefined): Frame {
    const id = this.cursor
    const data = this.#payload
    const frame = encodeEvent(name === undefined ? { id, data } : { id, event: name, data })
    // Lets go of the broker client's buffer, which may be a slice of a much larger one.
    if (frame.data !== undefined) this.#payload = frame.data
    return frame
  }

  #keep(key: string, frame: Frame): void {
    if (this.#settled) return
    this.#otherFrames ??= new Map()
    this.#otherFrames.set(key, frame)
  }
}

/** A message on `topic` that could not become an event; its subscribers are told. */
export class TopicError {
  readonly kind = 'error'
  readonly bytes = 400
  readonly topic: TopicPattern
  /** Whether it is the subscription that failed: it concerns those alone who have exactly this one. */
  readonly ofSubscription: boolean
  readonly frame: Frame

  constructor(topic: TopicPattern, code: TopicErrorCode, message: string) {
    this.topic = topic
    this.ofSubscription = code === 'subscription-failure'
    this.frame = errorFrame(topic, code, message)
  }
}

/** Messages may be missing at this place, of `topics` or of any, for one client or for all. */
export class Gap {
  readonly kind = 'gap'
  readonly bytes = 400
  readonly topics: readonly TopicPattern[] | undefined
  /** The one client that it is for. */
  readonly to: string | undefined
  readonly frame: Frame
  readonly reason: GapReason

  constructor(cursor: string, reason: GapReason, topics?: readonly TopicPattern[], to?: string) {
    this.reason = reason
    this.topics = topics
    this.to = to
    this.frame = gapFrame(reason, cursor, topics)
  }

  /** The same for one whose stream stands at another cursor with it. */
  at(cursor: string): Gap {
    return new Gap(cursor, this.reason, this.topics, this.to)
  }
}

/**
 * The broker began to deliver a topic here, or ceased to. Nobody is told; it parts the cursors of before from those
 * of after, so that who comes back across it is known to have missed something.
 */
export class Boundary {
  readonly kind = 'boundary'
  readonly bytes = 100
}
