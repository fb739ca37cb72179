import {
  type ApiError,
  type ConsumerConfig,
  type ConsumerInfo,
  ErrorCode,
  NatsError,
  type StreamConfig,
  type StreamInfo,
} from 'nats'
import type { Link } from './link.ts'
import type { NatsHeaders } from './nats-client.ts'

/** Of the server, for a stream that is not there. */
const STREAM_NOT_FOUND = 10059
const MESSAGE_NOT_FOUND = 10037

/** A stream, and when the server says so; older ones do not tell their time. */
export interface StreamNow extends StreamInfo {
  readonly ts?: string
}

/**
 * Speaks to JetStream as any program can, in requests on plain subjects: the two clients have different
 * methods for it, and an ordered consumer of the newer one stalls for 45 s when the server was restarted.
 */
export class JetStreamApi {
  readonly #link: Link

  constructor(link: Link) {
    this.#link = link
  }

  streamInfo(stream: string): Promise<StreamNow> {
    return this.#call(`STREAM.INFO.${stream}`)
  }

  /** The sequence of the last message to any subject that matches, or 0. */
  async lastSequence(stream: string, subject: string): Promise<number> {
    const body = { last_by_subj: subject }
    try {
      const { message } = await this.#call<{ message: { seq: number } }>(
        `STREAM.MSG.GET.${stream}`,
        body,
      )
      return message.seq
    } catch (error) {
      if (isMessageNotFound(error)) return 0
      throw error
    }
  }

  createStream(config: Partial<StreamConfig> & { name: string }): Promise<StreamNow> {
    return this.#call(`STREAM.CREATE.${config.name}`, config)
  }

  createConsumer(stream: string, config: Partial<ConsumerConfig>): Promise<ConsumerInfo> {
    return this.#call(`CONSUMER.CREATE.${stream}`, { stream_name: stream, config })
  }

  async deleteConsumer(stream: string, name: string): Promise<void> {
    await this.#call(`CONSUMER.DELETE.${stream}.${name}`)
  }

  /** Resolves once the stream has stored the message. */
  async publish(
    stream: string,
    subject: string,
    payload: Uint8Array,
    options: { headers?: NatsHeaders },
  ): Promise<void> {
    const { data } = await this.#link.request(subject, payload, options)
    const ack: { stream?: string } = answerOf(data)
    if (ack.stream !== stream) throw new NatsError('no ack', ErrorCode.JetStreamInvalidAck)
  }

  async #call<Answer>(subject: string, body?: object): Promise<Answer> {
    const payload = body === undefined ? '' : JSON.stringify(body)
    const { data } = await this.#link.request(
      `$JS.API.${subject}`,
      new TextEncoder().encode(payload),
    )
    return answerOf(data) as Answer
  }
}

function isMessageNotFound(error: unknown): boolean {
  return error instanceof NatsError && error.api_error?.err_code === MESSAGE_NOT_FOUND
}

/** Whether the server said that there is no such stream. */
export function isStreamNotFound(error: unknown): boolean {
  return error instanceof NatsError && error.api_error?.err_code === STREAM_NOT_FOUND
}

function answerOf(data: Uint8Array): object {
  const answer = parse(data) as { error?: ApiError }
  if (answer.error === undefined) return answer
  const error = new NatsError(answer.error.description, String(answer.error.code))
  error.api_error = answer.error
  throw error
}

function parse(data: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(data))
  } catch {
    throw NatsError.errorForCode(ErrorCode.BadJson)
  }
}
