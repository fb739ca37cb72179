import { setImmediate as turn } from 'node:timers/promises'
import { CONTROL_PREFIX, type GapReason, type Receiver } from '@asbru/core'
import { AckPolicy, type ConsumerConfig, DeliverPolicy, ErrorCode, NatsError } from 'nats'
import type { JetStreamApi, StreamNow } from './jetstream-api.ts'
import type { Link } from './link.ts'
import { incoming } from './message.ts'
import type { NatsMessage, NatsSubscription } from './nats-client.ts'
import type { Stream } from './stream.ts'
import { epochOf, NANOS_PER_MS, type Place, placeOf } from './stream-place.ts'
import { topicOf } from './subjects.ts'

/** What a {@link StreamReader} works with. */
export interface StreamReaderOptions {
  readonly link: Link
  readonly api: JetStreamApi
  readonly stream: Stream
  readonly prefix: string
  readonly receiver: Receiver
  /** From how long ago on messages are handed over at first, in milliseconds. */
  readonly backlogMs: number
  /** The consumer is lost though the connection holds: `resume` is due. */
  readonly onBroken: () => void
}

/** How often the server says that it has nothing to say, and after how many of these it is not believed. */
const HEARTBEAT_MS = 2_000
const MISSED_HEARTBEATS = 3
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
  /** The next message to hand over, once that was told. */
  #next: Next | undefined
  /** The age of the backlog, as a time of the server. */
  #since: string | undefined
  #consumer: Consumer | undefined
  readonly #waiting = new Set<Waiter>()
  #catchingUp: Promise<void> | undefined

  constructor(options: StreamReaderOptions) {
    this.#options = options
  }

  /** Resolves once a consumer goes on where the last one was, at first behind what is older than the backlog. */
  async resume(): Promise<void> {
    this.pause()
    const { link, api, stream } = this.#options
    const consumer: Consumer = { delivered: 0, silence: 0, epoch: '' }
    this.#consumer = consumer
    try {
      const info = await stream.info()
      const last = await stream.lastSequence(info)
      this.#mustBe(consumer)
      consumer.epoch = epochOf(info.created)
      this.#place(info, last)
      const inbox = link.inbox()
      consumer.subscription = link.client.subscribe(inbox, {
        callback: (error, message) => {
          if (error === null) this.#receive(consumer, message)
          else this.#break(consumer)
        },
      })
      const made = await api.createConsumer(stream.name, this.#config(inbox, info))
      consumer.name = made.name
      this.#mustBe(consumer)
      consumer.watch = setInterval(() => this.#listen(consumer), HEARTBEAT_MS)
      // Nothing is as young as the backlog.
      if (made.num_pending === 0) this.#begin(consumer, last)
    } catch (error) {
      end(consumer)
      throw error
    }
  }

  /** Resolves once all is handed over that the stream holds now; rejects if the consumer is lost before. */
  catchUp(): Promise<void> {
    // Calls that come before the server is asked share its answer.
    return (this.#catchingUp ??= this.#catchUp())
  }

  /** Hands over nothing until `resume`. */
  pause(): void {
    if (this.#consumer !== undefined) end(this.#consumer)
    this.#consumer = undefined
    for (const { reject } of this.#waiting) reject(NatsError.errorForCode(ErrorCode.Disconnect))
    this.#waiting.clear()
  }

  /** Takes the consumer away from the server as well. */
  async stop(): Promise<void> {
    const { link, api, stream } = this.#options
    const name = this.#consumer?.name
    this.pause()
    if (name !== undefined && link.online)
      await api.deleteConsumer(stream.name, name).catch(() => {})
  }

  async #catchUp(): Promise<void> {
    await turn()
    this.#catchingUp = undefined
    const consumer = this.#consumer
    if (consumer === undefined) throw NatsError.errorForCode(ErrorCode.Disconnect)
    const { stream } = this.#options
    const sequence = await stream.lastSequence(await stream.info())
    this.#mustBe(consumer)
    if (this.#next !== undefined && this.#next.sequence > sequence) return
    await new Promise<void>((resolve, reject) => this.#waiting.add({ sequence, resolve, reject }))
  }

  /** The stream is handed over up to there, as far as it still holds it. */
  #passed(sequence: number): void {
    for (const each of this.#waiting) {
      if (each.sequence > sequence) continue
      this.#waiting.delete(each)
      each.resolve()
    }
  }

  /** Compares the place to go on from with the stream as it is, and tells what does not fit. */
  #place({ created, state }: StreamNow, last: number): void {
    const epoch = epochOf(created)
    const behind = state.last_seq + 1
    // One that was never written to says 0.
    const start = Math.max(state.first_seq, 1)
    const next = this.#next
    if (next === undefined) {
      if (this.#options.backlogMs === 0) this.#goOn({ epoch, sequence: behind }, last)
    } else if (next.epoch !== epoch) this.#skip({ epoch, sequence: start }, 'log-changed')
    else if (next.sequence > behind) this.#skip({ epoch, sequence: behind }, 'log-changed')
    else if (next.sequence < start) this.#skip({ epoch, sequence: start }, 'log-trimmed')
  }

  #skip(to: Next, reason: GapReason): void {
    this.#options.receiver.status({ type: 'gap', reason })
    this.#goOn(to, to.sequence - 1)
  }

  /** Begins behind a message, unless it began already. */
  #begin({ epoch }: Consumer, last: number): void {
    if (this.#next === undefined) this.#goOn({ epoch, sequence: last + 1 }, last)
  }

  /** Tells from where on all will be handed over: behind `last`, which is before the next, or further up. */
  #goOn(next: Next, last: number): void {
    this.#next = next
    const position = { log: LOG, epoch: next.epoch, offset: last }
    this.#options.receiver.status({ type: 'log', position })
  }

  #config(inbox: string, { ts }: StreamNow): Partial<ConsumerConfig> {
    const { stream, prefix, backlogMs } = this.#options
    const now = ts === undefined ? Date.now() : Date.parse(ts)
    // The same in all attempts, until one has begun.
    const since = (this.#since ??= new Date(now - backlogMs).toISOString())
    return {
      deliver_subject: inbox,
      ...(this.#next === undefined
        ? {
            deliver_policy: DeliverPolicy.StartTime,
            opt_start_time: since,
          }
        : { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: this.#next.sequence }),
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
    const { stream, prefix, receiver } = this.#options
    if (delivered !== consumer.delivered + 1) {
      this.#break(consumer)
      return
    }
    consumer.delivered = delivered
    this.#begin(consumer, sequence - 1)
    const next = this.#next!
    // Where all messages are ours, a number that is left out was deleted before it was read.
    if (sequence > next.sequence && !stream.isShared)
      this.#skip({ epoch: next.epoch, sequence }, 'log-trimmed')
    const { epoch } = next
    this.#next!.sequence = sequence + 1
    const topic = topicOf(prefix, message.subject)
    // A stream that captures what goes beside it must not bring it a second time.
    if (topic !== undefined && !topic.startsWith(CONTROL_PREFIX))
      receiver.message(incoming(topic, message, { log: LOG, epoch, offset: sequence }))
    if (this.#waiting.size > 0) this.#passed(sequence)
  }

  /** Answers what the server waits for before it sends more, and sees whether anything was lost. */
  #answer(consumer: Consumer, { reply, headers }: NatsMessage): void {
    const { client } = this.#options.link
    const stalled = headers?.get('Nats-Consumer-Stalled')
    if (reply) client.publish(reply)
    else if (stalled) client.publish(stalled)
    const last = headers?.get('Nats-Last-Consumer')
    if (last && Number(last) !== consumer.delivered) this.#break(consumer)
    else if (this.#waiting.size > 0) this.#passed(Number(headers?.get('Nats-Last-Stream') || 0))
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
  /** Of the stream that it was made for. */
  epoch: string
}

/** Where to go on. */
interface Next {
  readonly epoch: string
  sequence: number
}

/** Somebody who waits until a message is handed over. */
interface Waiter {
  readonly sequence: number
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

function end({ subscription, watch }: Consumer): void {
  clearInterval(watch)
  subscription?.unsubscribe()
}
