import type { Buffer } from 'node:buffer'
import { crc32 } from 'node:zlib'
import { type IncomingMessage, type OutgoingMessage, type Receiver, TopicSet } from '@asbru/core'
import { ReplyError } from 'ioredis'
import { bufferOf, kept } from './bytes.ts'
import type { Connect } from './connect.ts'
import { Health } from './health.ts'
import { Link } from './link.ts'
import type { Mode } from './mode.ts'
import { readStreams, type StreamEntry, type StreamsView, viewStreams } from './stream-commands.ts'
import { StreamLog } from './stream-log.ts'
import type { StreamsOptions } from './streams-options.ts'

/** How long Redis holds an XREAD that finds nothing; without an answer the link is taken for dead after twice that. */
const BLOCK_MS = 5_000
/** How often the streams are compared with what was read, and trimmed. */
const VERIFY_EVERY_MS = 5_000
const RETRY_MS = 500
const MAX_COUNT = 1_000
/** About as much is read at a time. */
const READ_BYTES = 4 * 1024 * 1024

/**
 * Messages as entries of streams, read by their ids: an outage loses and repeats nothing, unless more is
 * trimmed meanwhile. XREAD keeps a connection for itself, since what is sent behind it waits.
 */
export function streamsMode(
  connect: Connect,
  options: StreamsOptions & { create: boolean },
  receiver: Receiver,
): Mode {
  const { key = 'asbru', keys = [key], create } = options
  const logs = keys.map((each) => new StreamLog(each))
  const topics = new TopicSet()
  const health = new Health((status) => receiver.status(status))
  const publisher: Link = new Link(connect(), {
    ready: () => health.up(publisher),
    lost: (error) => health.down(publisher, error),
  })
  const reader: Link = new Link(connect({ commandTimeout: 2 * BLOCK_MS }), {
    ready: () => wake?.(),
    lost(error) {
      verifyAt = 0
      health.down(reader, error)
    },
  })
  const stopping = new AbortController()
  const { signal } = stopping
  let following: Promise<void> | undefined
  let verifyAt = 0
  let count = 100
  let newest = 0n
  /** Ends a pause. */
  let wake: (() => void) | undefined

  return {
    async start(timeoutMs) {
      await Promise.all([publisher.start(timeoutMs), reader.start(timeoutMs)])
      const { infos } = await viewStreams(reader.redis, logs, 1, () => [])
      for (const log of logs) {
        const info = infos.get(log.key)
        if (info === undefined && !create) throw new Error(`There is no stream ${log.key}.`)
        log.startAt(info)
      }
      receiver.status({ type: 'connected' })
      health.started()
      following = follow()
    },

    async subscribe(topic) {
      topics.add(topic)
    },

    async unsubscribe(topic) {
      topics.delete(topic)
    },

    async publish(message) {
      publisher.gather()
      const { key: to } = logs[logs.length === 1 ? 0 : crc32(message.topic) % logs.length]!
      const id = await publisher.redis.call(
        'XADD',
        to,
        ...(create ? [] : ['NOMKSTREAM']),
        '*',
        ...fieldsOf(message),
      )
      if (id === null) throw new Error(`There is no stream ${to}.`)
    },

    async stop() {
      stopping.abort()
      wake?.()
      await Promise.all([publisher.end(), reader.end()])
      await following
    },
  }

  async function follow(): Promise<void> {
    while (!signal.aborted) {
      try {
        if (performance.now() < verifyAt)
          deliverAll(await readStreams(reader.redis, logs, count, BLOCK_MS))
        else await verify()
      } catch (error) {
        if (signal.aborted) return
        verifyAt = 0
        health.down(reader, error)
        // It was not answered, or the connection is lost already.
        if (!(error instanceof ReplyError)) reader.drop()
        await pause()
      }
    }
  }

  /** Reads on from a moment at which the streams are known to be those that were read before. */
  async function verify(): Promise<void> {
    const view = await viewStreams(reader.redis, logs, count, trimArgs)
    for (const log of logs) {
      const info = view.infos.get(log.key)
      const unread = view.entries.get(log.key)?.length ?? 0
      const reason = log.verify(info, unread, unread < count)
      if (reason !== undefined) receiver.status({ type: 'gap', reason })
      if (info !== undefined && info.last > newest) newest = info.last
    }
    verifyAt = performance.now() + VERIFY_EVERY_MS
    health.up(reader)
    deliverAll(view.entries)
  }

  function deliverAll(all: StreamsView['entries']): void {
    let bytes = 0
    let entries = 0
    for (const log of logs) {
      for (const entry of all.get(log.key) ?? []) {
        entries++
        bytes += deliver(log, entry)
      }
    }
    if (entries > 0)
      count = Math.max(1, Math.min(MAX_COUNT, Math.floor(READ_BYTES / (bytes / entries))))
  }

  /** Returns about how many bytes the entry has. */
  function deliver(log: StreamLog, [id, fields]: StreamEntry): number {
    const position = log.read(id.toString('latin1'))
    const message = messageOf(fields)
    if (message === undefined) return MIN_ENTRY_BYTES
    if (!signal.aborted && topics.delivers(message.topic))
      receiver.message({ ...message, position })
    return MIN_ENTRY_BYTES + message.payload.length
  }

  function trimArgs(of: string): string[] {
    const { maxLength = 100_000, maxAgeMs } = options
    if (!create) return []
    if (maxAgeMs === undefined) return [of, 'MAXLEN', '~', String(maxLength)]
    const oldest = (newest >> 64n) - BigInt(maxAgeMs)
    return [of, 'MINID', '~', String(oldest > 0n ? oldest : 0n)]
  }

  /** Until the connection is back, or for a while. */
  async function pause(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, RETRY_MS)
      wake = () => {
        clearTimeout(timer)
        resolve()
      }
      if (signal.aborted) wake()
    })
  }
}

/** Id, field names and what Redis itself needs for them. */
const MIN_ENTRY_BYTES = 64

function fieldsOf({ topic, payload, event, id }: OutgoingMessage): (string | Buffer)[] {
  const fields: (string | Buffer)[] = ['topic', topic, 'data', bufferOf(payload)]
  if (event !== undefined) fields.push('event', event)
  if (id !== undefined) fields.push('id', id)
  return fields
}

/** An entry as a message, or `undefined` for one that is none. */
function messageOf(fields: readonly Buffer[]): IncomingMessage | undefined {
  let topic: string | undefined
  let payload: Buffer | undefined
  const names: { event?: string; id?: string } = {}
  for (let i = 0; i < fields.length; i += 2) {
    const value = fields[i + 1]!
    const field = fields[i]!.toString('latin1')
    if (field === 'topic') topic = value.toString()
    else if (field === 'data') payload = kept(value)
    else if (field === 'event' || field === 'id') names[field] = value.toString()
  }
  if (topic === undefined || payload === undefined) return undefined
  return { topic, payload, ...names }
}
