import { setImmediate as turn } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import { CONTROL_PREFIX, type Receiver, TopicSet } from '@asbru/core'
import { ReplyError } from 'ioredis'
import type { Connect } from './connect.ts'
import { Health } from './health.ts'
import { Link } from './link.ts'
import type { Mode } from './mode.ts'
import {
  newestEntries,
  readStreams,
  type StreamEntry,
  type StreamsView,
  timeOf,
  viewStreams,
} from './stream-commands.ts'
import { offsetOf, StreamLog } from './stream-log.ts'
import { fieldsOf, messageOf } from './stream-messages.ts'
import type { StreamsOptions } from './streams-options.ts'
import { Waiting } from './waiting.ts'

/** How long Redis holds an XREAD that finds nothing; without an answer the link is taken for dead after twice that. */
const BLOCK_MS = 5_000
/** How often the streams are compared with what was read, and trimmed. */
const VERIFY_EVERY_MS = 5_000
const RETRY_MS = 500
const MAX_COUNT = 1_000
/** About how many messages of replicas to each other are kept, for those that are behind. */
const CONTROL_LENGTH = 10_000
/** About as much is read at a time. */
const READ_BYTES = 4 * 1024 * 1024

/**
 * Messages as entries of streams, read by their ids: an outage loses and repeats nothing, unless more is
 * trimmed meanwhile. What replicas tell each other has a stream of its own, read from its end. XREAD keeps a connection for itself, since what is sent behind it waits.
 */
export function streamsMode(
  connect: Connect,
  options: StreamsOptions & { create: boolean },
  receiver: Receiver,
  backlogMs: number,
): Mode {
  const { key = 'asbru', keys = [key], create } = options
  const logs = keys.map((each) => new StreamLog(each))
  const control = new StreamLog(`${keys[0]}:control`)
  const followed = [...logs, control]
  const controlTopics = new TopicSet()
  const waiting = new Waiting()
  const health = new Health((status) => receiver.status(status))
  const publisher: Link = new Link(connect(), {
    ready: () => health.up(publisher),
    lost: (error) => health.down(publisher, error),
  })
  const reader: Link = new Link(connect({ commandTimeout: 2 * BLOCK_MS }), {
    ready: () => wake?.(),
    lost(error) {
      verifyAt = 0
      waiting.giveUp(new Error('Redis is out of reach.'))
      health.down(reader, error)
    },
  })
  const stopping = new AbortController()
  const { signal } = stopping
  let following: Promise<void> | undefined
  let catchingUp: Promise<void> | undefined
  let verifyAt = 0
  let count = 100
  let newest = 0n
  /** Ends a pause. */
  let wake: (() => void) | undefined

  return {
    async start(timeoutMs) {
      await Promise.all([publisher.start(timeoutMs), reader.start(timeoutMs)])
      await begin()
      receiver.status({ type: 'connected' })
      health.started()
      following = follow()
    },

    async subscribe(topic) {
      if (topic.startsWith(CONTROL_PREFIX)) controlTopics.add(topic)
    },

    async unsubscribe(topic) {
      controlTopics.delete(topic)
    },

    catchUp() {
      // Calls that come before Redis is asked share its answer.
      return (catchingUp ??= catchUp())
    },

    async publish(message) {
      publisher.gather()
      const { to, how } = routeOf(message.topic)
      const id = await publisher.redis.call('XADD', to, ...how, '*', ...fieldsOf(message))
      if (id === null) throw new Error(`There is no stream ${to}.`)
    },

    async stop() {
      stopping.abort()
      waiting.giveUp(new Error('The redis driver was closed.'))
      wake?.()
      await Promise.all([publisher.end(), reader.end()])
      await following
    },
  }

  /** Finds where to begin, and hands over what is younger than the backlog. */
  async function begin(): Promise<void> {
    const { redis } = reader
    const since = (await timeOf(redis)) - backlogMs
    const { infos } = await viewStreams(redis, followed, 1, () => [])
    const older = backlogMs > 0 ? await newestEntries(redis, logs, since - 1) : []
    for (const [i, log] of logs.entries()) {
      const info = infos.get(log.key)
      if (info === undefined && !create) throw new Error(`There is no stream ${log.key}.`)
      if (backlogMs > 0) log.startBehind(older[i], info)
      else log.startAt(info)
      receiver.status({ type: 'log', position: log.position })
    }
    control.startAt(infos.get(control.key))
    const isBehind = (log: StreamLog): boolean => !log.isPast(infos.get(log.key)?.last ?? 0n)
    while (logs.some(isBehind)) {
      const entries = await readStreams(redis, logs, count)
      if (entries.size === 0) return
      deliverAll(entries)
    }
  }

  async function catchUp(): Promise<void> {
    await turn()
    catchingUp = undefined
    if (!reader.isReady) throw new Error('Redis is out of reach.')
    const ends = await newestEntries(publisher.redis, logs)
    const isPast = (id: string | undefined, i: number): boolean =>
      id === undefined || logs[i]!.isPast(offsetOf(id))
    await waiting.until(() => ends.every(isPast))
  }

  async function follow(): Promise<void> {
    while (!signal.aborted) {
      try {
        if (performance.now() < verifyAt)
          deliverAll(await readStreams(reader.redis, followed, count, BLOCK_MS))
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
    const view = await viewStreams(reader.redis, followed, count, trimArgs)
    for (const log of followed) {
      const unread = view.entries.get(log.key) ?? []
      const next = unread[0] && offsetOf(unread[0][0].toString('latin1'))
      const info = view.infos.get(log.key)
      const reason = log.verify(info, unread.length, unread.length < count, next)
      if (log === control) continue
      if (reason !== undefined) {
        receiver.status({ type: 'gap', reason })
        receiver.status({ type: 'log', position: log.position })
      }
      if (info !== undefined && info.last > newest) newest = info.last
    }
    verifyAt = performance.now() + VERIFY_EVERY_MS
    health.up(reader)
    const ending = logs.filter((log) => (view.entries.get(log.key)?.length ?? 0) < count)
    deliverAll(view.entries)
    for (const log of ending) log.cleared(view.infos.get(log.key)?.last ?? 0n)
    waiting.look()
  }

  function deliverAll(all: StreamsView['entries']): void {
    let bytes = 0
    let entries = 0
    for (const log of followed) {
      for (const entry of all.get(log.key) ?? []) {
        entries++
        bytes += deliver(log, entry)
      }
    }
    if (entries > 0)
      count = Math.max(1, Math.min(MAX_COUNT, Math.floor(READ_BYTES / (bytes / entries))))
    waiting.look()
  }

  /** Returns about how many bytes the entry has. */
  function deliver(log: StreamLog, [id, fields]: StreamEntry): number {
    const position = log.read(id.toString('latin1'))
    const message = messageOf(fields)
    if (message === undefined) return MIN_ENTRY_BYTES
    if (signal.aborted) return MIN_ENTRY_BYTES
    // What goes beside the data is not taken from it.
    const isControl = message.topic.startsWith(CONTROL_PREFIX)
    if (log !== control) {
      if (!isControl) receiver.message({ ...message, position })
    } else if (controlTopics.delivers(message.topic)) {
      receiver.message(message)
    }
    return MIN_ENTRY_BYTES + message.payload.length
  }

  /** The stream for a topic, and how XADD is to write there. */
  function routeOf(topic: string): { to: string; how: readonly string[] } {
    if (topic.startsWith(CONTROL_PREFIX))
      return { to: control.key, how: ['MAXLEN', '~', String(CONTROL_LENGTH)] }
    const { key: to } = logs[logs.length === 1 ? 0 : crc32(topic) % logs.length]!
    return { to, how: create ? [] : ['NOMKSTREAM'] }
  }

  function trimArgs(of: string): string[] {
    const { maxLength = 100_000, maxAgeMs } = options
    if (!create || of === control.key) return []
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
