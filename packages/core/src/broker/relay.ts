import { Buffer, isUtf8 } from 'node:buffer'
import type { Connections } from '../connections/connections.ts'
import {
  CONTROL_PREFIX,
  type DriverStatus,
  type IncomingMessage,
  type Position,
  type Receiver,
  type TopicPattern,
} from '../driver.ts'
import { Gap, RelayEvent, TopicError } from '../events/event.ts'
import { DIRECT_TOPIC, readDirect } from './message.ts'
import type { ResolvedOptions } from '../options.ts'
import { isEventName, isTopic } from '../topic.ts'
import type { LogCursors } from '../events/log-cursors.ts'
import type { Window } from '../events/window.ts'

/** What has passed since the start. */
export interface RelayCounters {
  /** Messages that came from the broker. */
  messagesIn: number
  /** Messages that no subscription can name, or that are not what their reserved topic is for. */
  ignoredMessages: number
  /** Event names of publishers that are reserved or malformed; their messages go on without. */
  ignoredEventNames: number
  /** Messages over `maxPayloadBytes`, or not UTF-8. */
  refusedPayloads: number
}

/** What the relay passes on, and to whom. */
export interface RelayOptions {
  readonly options: ResolvedOptions
  readonly window: Window
  readonly connections: Connections
  /** Where the logs of a driver with positions stand. */
  readonly logs: LogCursors | undefined
  /** Takes what replicas tell each other. */
  readonly onControl: (message: Uint8Array) => void
  /** Told of every status of the driver, after the relay has acted on it. */
  readonly onStatus: (status: DriverStatus) => void
}

/** Takes what the driver hands over, makes events of it, and passes them to the window and the connections. */
export class Relay implements Receiver {
  readonly #to: RelayOptions
  /** A gap of which the driver may still say behind which place it goes on. */
  #open: { readonly status: GapStatus; isTold: boolean } | undefined
  readonly counters: RelayCounters = {
    messagesIn: 0,
    ignoredMessages: 0,
    ignoredEventNames: 0,
    refusedPayloads: 0,
  }

  constructor(to: RelayOptions) {
    this.#to = to
  }

  message(message: IncomingMessage): void {
    try {
      if (isControl(message)) this.#to.onControl(bytesOf(message.payload) ?? new Uint8Array())
      else this.#relay(message)
    } catch (error) {
      this.#to.options.logger.error(
        { err: error, topic: message?.topic },
        'could not relay a message',
      )
    }
  }

  status(status: DriverStatus): void {
    try {
      if (status.type === 'log') this.#begins(status.position)
      else if (status.type === 'gap') this.#gap(status)
      this.#to.onStatus(status)
    } catch (error) {
      this.#to.options.logger.error(
        { err: error, status },
        'could not act on a status of the driver',
      )
    }
  }

  /** Tells the subscribers of a topic that it is not to be had. */
  topicFailed(topic: string): void {
    this.#endGap()
    this.#to.logs?.leaves()
    const text = 'The broker does not deliver this topic now; it is asked again.'
    this.#error(new TopicError(topic, 'subscription-failure', text))
  }

  /** Tells one client, now or when it comes back, that messages of its topics may be missing up to here. */
  clientMissed(to: string, topics: readonly TopicPattern[]): void {
    this.#endGap()
    this.#to.logs?.leaves()
    this.#tellGap({ reason: 'messages-dropped', topics, to })
  }

  #relay({ topic, payload: given, event, id, position }: IncomingMessage): void {
    this.counters.messagesIn++
    const payload = bytesOf(given)
    this.#stand(position, topic, payload)
    if (payload === undefined || typeof topic !== 'string') {
      this.counters.ignoredMessages++
    } else if (topic === DIRECT_TOPIC) {
      const direct = readDirect(payload, this.#to.options.namespace)
      if (direct === undefined) this.counters.ignoredMessages++
      else this.#event({ topic: '', ...direct })
    } else if (isTopic(topic)) {
      this.#event({ topic, payload, event, id })
    } else {
      this.counters.ignoredMessages++
    }
  }

  #event(message: RelayedMessage): void {
    const { window, connections } = this.#to
    const { topic, to, id } = message
    const payload = this.#checked(message)
    if (payload === undefined) return
    const name = this.#nameOf(message.event)
    const event = window.add(
      (cursor) =>
        new RelayEvent(cursor, {
          topic,
          payload,
          ...(name !== undefined && { name }),
          ...(typeof id === 'string' && { id }),
          ...(to !== undefined && { to }),
        }),
    )
    connections.deliver(event)
  }

  #stand(position: Position | undefined, topic: unknown, payload: Uint8Array | undefined): void {
    const { logs } = this.#to
    if (logs === undefined) return
    this.#endGap()
    if (position === undefined) logs.leaves()
    else logs.reads(position, topic, payload ?? new Uint8Array())
  }

  /** The payload as it may go out, or `undefined` once its topic was told why it does not. */
  #checked({ topic, payload }: RelayedMessage): Uint8Array | undefined {
    const { maxPayloadBytes, binary } = this.#to.options
    if (payload.length > maxPayloadBytes) {
      const text = `A message of ${payload.length} bytes was not relayed; the most is ${maxPayloadBytes}.`
      this.#refuse(topic, 'payload-too-large', text)
      return undefined
    }
    if (isUtf8(payload)) return payload
    if (binary === 'base64') return Buffer.from(Buffer.from(payload).toString('base64'))
    this.#refuse(topic, 'payload-not-utf8', 'A message that is not UTF-8 was not relayed.')
    return undefined
  }

  #refuse(topic: string, code: 'payload-too-large' | 'payload-not-utf8', text: string): void {
    this.counters.refusedPayloads++
    if (topic !== '') this.#error(new TopicError(topic, code, text))
  }

  #nameOf(event: string | undefined): string | undefined {
    if (event === undefined || (typeof event === 'string' && isEventName(event))) return event
    this.counters.ignoredEventNames++
    return undefined
  }

  #error(error: TopicError): void {
    this.#to.window.add(() => error)
    this.#to.connections.tellError(error)
  }

  /** With logs it waits for word of where they go on, which follows in the same turn: its cursor is the one behind. */
  #gap(status: GapStatus): void {
    if (this.#to.logs === undefined) return this.#tellGap(status)
    this.#endGap()
    const open = { status, isTold: false }
    this.#open = open
    queueMicrotask(() => {
      if (this.#open === open) this.#endGap()
    })
  }

  #begins(position: Position): void {
    const open = this.#open
    const hasMoved = this.#to.logs?.begins(position, open?.status.reason === 'log-changed')
    if (open === undefined || hasMoved !== true) return
    open.isTold = true
    this.#tellGap(open.status)
  }

  /** A gap behind which no log moved is told at the place where it came. */
  #endGap(): void {
    const open = this.#open
    this.#open = undefined
    if (open === undefined || open.isTold) return
    this.#to.logs?.leaves()
    this.#tellGap(open.status)
  }

  #tellGap({ reason, topics, to }: Omit<GapStatus, 'type'> & { to?: string }): void {
    const gap = this.#to.window.add((cursor) => new Gap(cursor, reason, topics, to))
    this.#to.connections.tellGap(gap)
  }
}

type GapStatus = Extract<DriverStatus, { type: 'gap' }>

function isControl({ topic }: IncomingMessage): boolean {
  return typeof topic === 'string' && topic.startsWith(CONTROL_PREFIX)
}

/** A message on its way to the window, for one client or for a topic. */
interface RelayedMessage {
  readonly topic: string
  readonly payload: Uint8Array
  readonly event?: string | undefined
  readonly id?: string | undefined
  readonly to?: string
}

/** The bytes of what a driver took for a payload, whatever view of them its broker client gave it. */
function bytesOf(payload: unknown): Uint8Array | undefined {
  if (payload instanceof Uint8Array) return payload
  if (!ArrayBuffer.isView(payload)) return undefined
  return new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength)
}
