import { Buffer } from 'node:buffer'
import type { OutgoingMessage, Receiver } from '@asbru/core'
import { Command, ReplyError } from 'ioredis'
import { bufferOf, kept } from './bytes.ts'
import { ClusterMap } from './cluster-map.ts'
import { type ClusterConnection, COMMAND_TIMEOUT_MS } from './connect.ts'
import { Health } from './health.ts'
import { Link } from './link.ts'
import type { Mode } from './mode.ts'
import { sendChange } from './send-change.ts'

const RETRY_MS = 250

/**
 * Sharded pub/sub on a cluster: a channel lives on the master of its slot, one connection to each. What
 * is published while that connection is lost, or while the slot moves, is lost, and told as a `gap`.
 */
export function shardedMode(
  connection: ClusterConnection,
  prefix: string,
  receiver: Receiver,
): Mode {
  const health = new Health((status) => receiver.status(status))
  const map = new ClusterMap(connection)
  const links = new Map<string, Link>()
  const places = new Map<string, Place>()
  const prefixBytes = Buffer.byteLength(prefix)
  const stopping = new AbortController()
  const { signal } = stopping
  let settling: Promise<void> | undefined
  let isUnsettled = false
  let wake: (() => void) | undefined

  return {
    async start(timeoutMs) {
      await locate(timeoutMs)
      await Promise.all([...map.masters].map((node) => linkTo(node).start(timeoutMs)))
      receiver.status({ type: 'connected' })
      health.started()
    },

    async subscribe(topic) {
      if (topic.includes('*'))
        throw new Error('Redis has no patterns in sharded pub/sub; `mode: "pubsub"` has.')
      const before = places.get(topic)
      if (before !== undefined) {
        await before.ready
        return
      }
      const place: Place = { channel: prefix + topic, isLost: false, isDoubtful: false }
      places.set(topic, place)
      place.ready = withNewMap(() => settleIn(place))
      try {
        await place.ready
      } catch (error) {
        if (places.get(topic) === place) places.delete(topic)
        throw error
      } finally {
        delete place.ready
      }
    },

    async unsubscribe(topic) {
      const place = places.get(topic)
      if (place === undefined) return
      places.delete(topic)
      await leave(place)
    },

    publish: (message) => withNewMap(() => publish(message)),

    async stop() {
      stopping.abort()
      wake?.()
      await Promise.all([...links.values()].map((link) => link.end()))
      await settling
    },
  }

  /** Asks until a node answers. */
  async function locate(timeoutMs: number): Promise<void> {
    const deadline = timeoutMs > 0 ? performance.now() + timeoutMs : Infinity
    for (;;) {
      try {
        await map.refresh([])
        return
      } catch (error) {
        if (signal.aborted || performance.now() + RETRY_MS > deadline) throw error
      }
      await pause()
    }
  }

  function linkTo(node: string): Link {
    const redis = map.connect(node)
    const link: Link = new Link(redis, {
      ready: () => settle(),
      lost(error) {
        for (const place of places.values()) {
          if (place.node !== node) continue
          delete place.node
          place.isLost = true
        }
        health.down(links, error)
        settle()
      },
    })
    redis.on('smessageBuffer', (channel: Buffer, payload: Buffer) => {
      const topic = channel.toString('utf8', prefixBytes)
      const place = places.get(topic)
      if (place === undefined || place.node !== node || place.isLost) return
      receiver.message({ topic, payload: kept(payload) })
    })
    // Redis ended a subscription because its slot has moved; ioredis does not say which.
    redis.on('moved', () => {
      for (const place of places.values()) if (place.node === node) place.isDoubtful = true
      settle()
    })
    links.set(node, link)
    return link
  }

  /** Subscribes on the master that has the slot. */
  async function settleIn(place: Place): Promise<void> {
    const node = map.masterOf(place.channel)
    const link = node === undefined ? undefined : links.get(node)
    if (link === undefined) throw new Error(`No node of the cluster has ${place.channel}.`)
    await sendChange(link.redis, 'ssubscribe', place.channel, (error) => {
      if (error !== undefined) return
      place.node = node!
      place.isDoubtful = false
    })
  }

  async function leave({ node, channel }: Place): Promise<void> {
    const link = node === undefined ? undefined : links.get(node)
    // Without a connection there is no subscription either.
    if (link?.isReady === true)
      await sendChange(link.redis, 'sunsubscribe', channel).catch(() => {})
  }

  async function publish({ topic, payload }: OutgoingMessage): Promise<void> {
    const node = map.masterOf(prefix + topic)
    const link = node === undefined ? undefined : links.get(node)
    if (link === undefined) throw new Error(`No node of the cluster has ${prefix + topic}.`)
    const command = new Command('spublish', [prefix + topic, bufferOf(payload)])
    command.setTimeout(COMMAND_TIMEOUT_MS)
    link.gather()
    link.redis.sendCommand(command)
    await command.promise
  }

  /** Tries once more, with a new map, what was sent to a node that does not have the slot any more. */
  async function withNewMap(send: () => Promise<void>): Promise<void> {
    try {
      await send()
    } catch (error) {
      if (codeOf(error) !== 'MOVED') throw error
      await renewMap()
      settle()
      await send()
    }
  }

  async function renewMap(): Promise<void> {
    const open = [...links.values()].filter((link) => link.isReady)
    await map.refresh(open.map(({ redis }) => redis))
    if (signal.aborted) return
    const added = [...map.masters].filter((node) => !links.has(node))
    await Promise.allSettled(added.map((node) => linkTo(node).start(RETRY_MS)))
  }

  /** Brings every topic to the node where it belongs, until all are there. */
  function settle(): void {
    isUnsettled = true
    wake?.()
    settling ??= bringHome().finally(() => {
      settling = undefined
    })
  }

  async function bringHome(): Promise<void> {
    while (isUnsettled && !signal.aborted) {
      isUnsettled = false
      // Without a new one, the old map may still be right.
      await renewMap().catch(() => {})
      await Promise.all([...places].map(([topic, place]) => move(topic, place)))
      tellGap()
      await endLinksToStrangers()
      const isHome = [...places.values()].every(
        (place) => place.ready !== undefined || isAtHome(place),
      )
      if (isHome && [...links.values()].every((link) => link.isReady)) health.up(links)
      else if (!isUnsettled) {
        isUnsettled = true
        await pause()
      }
    }
  }

  async function move(topic: string, place: Place): Promise<void> {
    if (place.ready !== undefined || isAtHome(place)) return
    const old = place.node
    if (old !== undefined && old !== map.masterOf(place.channel)) place.isLost = true
    try {
      await settleIn(place)
    } catch (error) {
      if (codeOf(error) === 'MOVED') {
        delete place.node
        place.isLost = true
      } else if (codeOf(error) === 'NOPERM' && places.delete(topic)) {
        receiver.status({ type: 'topicFailed', topic, error })
      }
    }
    if (old !== undefined && old !== place.node) await leave({ ...place, node: old })
    if (!places.has(topic)) await leave(place)
  }

  function isAtHome({ node, channel, isDoubtful }: Place): boolean {
    return node !== undefined && !isDoubtful && node === map.masterOf(channel)
  }

  function tellGap(): void {
    const topics: string[] = []
    for (const [topic, place] of places) {
      if (!place.isLost || !isAtHome(place)) continue
      place.isLost = false
      topics.push(topic)
    }
    if (topics.length > 0) receiver.status({ type: 'gap', reason: 'broker-reconnected', topics })
  }

  /** Closes connections to nodes that have no slots any more. */
  async function endLinksToStrangers(): Promise<void> {
    const { masters } = map
    for (const [node, link] of links) {
      if (masters.has(node) || [...places.values()].some((place) => place.node === node)) continue
      links.delete(node)
      await link.end()
    }
  }

  /** Until something has changed, or for a while. */
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

/** Where a topic is subscribed. */
interface Place {
  readonly channel: string
  /** The node that delivers it; absent while none does. */
  node?: string
  /** Messages may have been missed, and that was not told yet; what comes meanwhile is part of the gap. */
  isLost: boolean
  /** Its subscription may have been ended. */
  isDoubtful: boolean
  /** While it is subscribed for the first time. */
  ready?: Promise<void>
}

/** The word in front of an error of Redis, which says what it is. */
function codeOf(error: unknown): string | undefined {
  return error instanceof ReplyError ? (error as Error).message.split(' ', 1)[0] : undefined
}
