import type { Driver, Receiver } from '@asbru/core'
import { clusterOf, connectTo, type RedisSource } from './connect.ts'
import { capabilities, type Mode } from './mode.ts'
import { pubsubMode } from './pubsub.ts'
import { shardedMode } from './sharded.ts'
import { streamsMode } from './streams.ts'
import type { StreamsOptions } from './streams-options.ts'

/** What a {@link redisDriver} may be told. */
export type RedisDriverOptions = RedisSource & {
  /**
   * `pubsub` keeps nothing: what is published while a replica is cut off from Redis never reaches it. `streams`
   * keeps messages for a while, so that nothing is lost or repeated. `sharded` is pub/sub on a Redis Cluster
   * without copies to all of its nodes, and without patterns.
   *
   * @default 'pubsub'
   */
  mode?: 'pubsub' | 'sharded' | 'streams'
  /**
   * Stands before the topic in the names of channels.
   *
   * @default ''
   */
  prefix?: string
  /** For the mode `streams`. */
  streams?: StreamsOptions
  /**
   * Whether streams that do not exist are made, and all of them trimmed.
   *
   * @default true
   */
  create?: boolean
  /**
   * How long `open` waits for a Redis that is absent, in milliseconds; 0 is for ever.
   *
   * @default 10_000
   */
  startTimeoutMs?: number
}

/**
 * Messages travel through Redis or Valkey: by pub/sub, which keeps nothing, or in streams, which lose nothing.
 *
 * @example
 * const streamer = new Streamer({ driver: redisDriver({ connection: 'redis://127.0.0.1:6379' }) })
 */
export function redisDriver(options: RedisDriverOptions = {}): Driver {
  const { mode: name = 'pubsub', startTimeoutMs = 10_000 } = options
  let receiver: Receiver | undefined
  let current: Mode | undefined
  let isOpen = false
  let closing: Promise<void> | undefined

  return {
    name: 'redis',
    capabilities: capabilities[name],

    async open(to, { backlogMs = 0 }) {
      if (closing !== undefined) throw new Error('The redis driver was closed.')
      const guarded: Receiver = {
        message: (message) => closing === undefined && to.message(message),
        status: (status) => closing === undefined && to.status(status),
      }
      const mode = modeOf(options, guarded, backlogMs)
      current = mode
      receiver = to
      try {
        await mode.start(startTimeoutMs)
      } catch (error) {
        await mode.stop()
        throw error
      }
      isOpen = true
    },

    async subscribe(topic) {
      await opened().subscribe(topic)
    },

    async unsubscribe(topic) {
      await opened().unsubscribe(topic)
    },

    async publish(message) {
      await opened().publish(message)
    },

    ...(name === 'streams' && {
      async catchUp() {
        await opened().catchUp!()
      },
    }),

    close() {
      return (closing ??= close())
    },
  }

  async function close(): Promise<void> {
    await current?.stop()
    receiver?.status({ type: 'closed' })
  }

  function opened(): Mode {
    if (current === undefined || !isOpen || closing !== undefined)
      throw new Error('The redis driver is not open.')
    return current
  }
}

function modeOf(options: RedisDriverOptions, receiver: Receiver, backlogMs: number): Mode {
  const { mode = 'pubsub', prefix = '', streams = {}, create = true } = options
  if (mode === 'sharded') return shardedMode(clusterOf(options), prefix, receiver)
  const connect = connectTo(options)
  return mode === 'pubsub'
    ? pubsubMode(connect, prefix, receiver)
    : streamsMode(connect, { ...streams, create }, receiver, backlogMs)
}
