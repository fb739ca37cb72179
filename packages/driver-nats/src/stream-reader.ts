import type { GapReason, Receiver } from '@asbru/core'
import { AckPolicy, type ConsumerConfig, DeliverPolicy, type StreamInfo } from 'nats'
import type { JetStreamApi } from './jetstream-api.ts'
import type { Link } from './link.ts'
import { incoming } from './message.ts'
import type { NatsMessage, NatsSubscription } from './nats-client.ts'
import type { Stream } from './stream.ts'
import { topicOf } from './subjects.ts'

/** What a {@link StreamReader} works with. */
export interface StreamReaderOptions {
  readonly link: Link
  readonly api: JetStreamApi
  readonly stream: Stream
  readonly prefix: string
  readonly receiver: Receiver
  /** Whether somebody wants messages of the topic. */
  readonly isWanted: (topic: string) => boolean
  /** The consumer is lost though the connection holds: `resume` is due. */
  readonly onBroken: () => void
}

/** How often the server says that it has nothing to say, and after how many of these it is not believed. */
const HEARTBEAT_MS = 2_000
const MISSED_HEARTBEATS = 3
const NANOS_PER_MS = 1_000_000
/** Control messages of a consumer have this status, and no payload. */
const CONTROL = 100
/** There is one log; its epoch tells it from others of its name. */
const LOG = 'stream'

/**
 * Follows the stream by an ordered push consumer, which is made anew behind the last message whenever
 * anything is in doubt: after a break, a hole in its numbers, or silence.
 */
export class StreamReader {
  readonly #options: StreamReaderOptions
  /** The next message to hand over. */
  #next: { epoch: string; sequence: number } | undefined
  #consumer: Consumer | undefined

  constructor(options: StreamReaderOptions) {
    this.#options = options
  }

  /** Resolves once a consumer goes on where the last one was, at first behind all that the stream holds. */
  async resume(): Promise<void> {
    this.pause()
    const { link, api, stream } = this.#options
    const consumer: Consumer = { delivered: 0, silence: 0 }
    this.#consumer = consumer
    try {
      const info = await stream.info()
      this.#mustBe(consumer)
      this.#place(info)
      const inbox = link.inbox()
      consumer.subscription = link.client.subscribe(inbox, {
        callback: (error, message) => {
          if (error === null) this.#receive(consumer, message)
          else this.#break(consumer)
        },
      })
      const { name } = await api.createConsumer(stream.name, this.#config(inbox))
      consumer.name = name
      this.#mustBe(consumer)
      consumer.watch = setInterval(() => this.#listen(consumer), HEARTBEAT_MS)
    } catch (error) {
      end(consumer)
      throw error
    }
  }

  /** Hands over nothing until `resume`. */
  pause(): void {
    if (this.#consumer !== undefined) end(this.#consumer)
    this.#consumer = undefined
  }

  /** Takes the consumer away from the server as well. */
  async stop(): Promise<void> {
    const { link, api, stream } = this.#options
    const name = this.#consumer?.name
    this.pause()
    if (name !== undefined && link.online)
      await api.deleteConsumer(stream.name, name).catch(() => {})
  }

  /** Compares the place to go on from with the stream as it is, and tells what does not fit. */
  #place({ created, state }: StreamInfo): void {
    const epoch = epochOf(created)
    const behind = state.last_seq + 1
    // One that was never written to says 0.
    const start = Math.max(state.first_seq, 1)
    const next = this.#next
    if (next === undefined) this.#next = { epoch, sequence: behind }
    else if (next.epoch !== epoch) this.#skip({ epoch, sequence: start }, 'log-changed')
    else if (next.sequence > behind) this.#skip({ epoch, sequence: behind }, 'log-changed')
    else if (next.sequence < start) this.#skip({ epoch, sequence: start }, 'log-trimmed')
  }

  #skip(to: { epoch: string; sequence: number }, reason: GapReason): void {
    this.#next = to
    this.#options.receiver.status({ type: 'gap', reason })
  }

  #config(inbox: string): Partial<ConsumerConfig> {
    const { stream, prefix } = this.#options
    return {
      deliver_subject: inbox,
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: this.#next!.sequence,
      ack_policy: AckPolicy.None,
      max_deliver: 1,
      flow_control: true,
      idle_heartbeat: HEARTBEAT_MS * NANOS_PER_MS,
      mem_storage: true,
      num_replicas: 1,
      ...(stream.isShared && { filter_subject: `${prefix}>` }),
    }
  }

  #receive(consumer: Consumer, message: NatsMessage): void {
    if (consumer !== this.#consumer) return
    consumer.silence = 0
    const place = placeOf(message.reply)
    if (place !== undefined) this.#deliver(consumer, message, place)
    else if (message.headers?.code === CONTROL) this.#answer(consumer, message)
  }

  #deliver(consumer: Consumer, message: NatsMessage, { sequence, delivered }: Place): void {
    const { stream, prefix, receiver, isWanted } = this.#options
    const next = this.#next!
    if (delivered !== consumer.delivered + 1) {
      this.#break(consumer)
      return
    }
    consumer.delivered = delivered
    // Where all messages are ours, a number that is left out was deleted before it was read.
    if (sequence > next.sequence && !stream.isShared)
      receiver.status({ type: 'gap', reason: 'log-trimmed' })
    next.sequence = sequence + 1
    const topic = topicOf(prefix, message.subject)
    if (topic === undefined || !isWanted(topic)) return
    receiver.message(incoming(topic, message, { log: LOG, epoch: next.epoch, offset: sequence }))
  }

  /** Answers what the server waits for before it sends more, and sees whether anything was lost. */
  #answer(consumer: Consumer, { reply, headers }: NatsMessage): void {
    const { client } = this.#options.link
    const stalled = headers?.get('Nats-Consumer-Stalled')
    if (reply) client.publish(reply)
    else if (stalled) client.publish(stalled)
    const last = headers?.get('Nats-Last-Consumer')
    if (last && Number(last) !== consumer.delivered) this.#break(consumer)
  }

  #listen(consumer: Consumer): void {
    if (++consumer.silence > MISSED_HEARTBEATS) this.#break(consumer)
  }

  #break(consumer: Consumer): void {
    if (consumer !== this.#consumer) return
    this.pause()
    this.#options.onBroken()
  }

  /** @throws {Error} if another attempt took its place meanwhile */
  #mustBe(consumer: Consumer): void {
    if (consumer !== this.#consumer) throw new Error('The consumer is not wanted any more.')
  }
}

/** A consumer on the server, and what came of it. */
interface Consumer {
  name?: string
  subscription?: NatsSubscription
  watch?: NodeJS.Timeout
  /** Messages, as the server counts them. */
  delivered: number
  /** Heartbeats missed. */
  silence: number
}

/** Where a message stands in the stream, and in what its consumer delivered. */
interface Place {
  readonly sequence: number
  readonly delivered: number
}

function end({ subscription, watch }: Consumer): void {
  clearInterval(watch)
  subscription?.unsubscribe()
}

/**
 * `$JS.ACK.<stream>.<consumer>.<tries>.<sequence>.<delivered>.<time>.<pending>`; newer servers may
 * put domain and account before the stream.
 */
function placeOf(reply: string | undefined): Place | undefined {
  if (!reply?.startsWith('$JS.ACK.')) return undefined
  const tokens = reply.split('.')
  const first = tokens.length === 9 ? 5 : 7
  return { sequence: Number(tokens[first]), delivered: Number(tokens[first + 1]) }
}

/** The time at which a stream was made, in nanoseconds, which no other stream of its name has. */
function epochOf(created: string): string {
  const fraction = /\.(\d+)/.exec(created)?.[1] ?? ''
  const ms = Date.parse(created.replace(/\.\d+/, ''))
  return (BigInt(ms) * BigInt(NANOS_PER_MS) + BigInt(fraction.padEnd(9, '0'))).toString(36)
}
