import {
  CONTROL_PREFIX,
  type Driver,
  type IncomingMessage,
  matches,
  type OutgoingMessage,
  type Receiver,
} from '@asbru/core'
import type { DriverHarness } from '@asbru/driver-contract'

/** One way in which a driver breaks its contract. */
export type Fault =
  | 'delivers once for each subscription'
  | 'loses every 100th message'
  | 'swaps neighbours'
  | 'keeps what it publishes from itself'
  | 'shares the messages between drivers'
  | 'keeps the buffer of the publisher'
  | 'ignores unsubscribe'
  | 'subscribes later than it says'
  | 'mixes up upper and lower case'
  | 'takes reserved topics for others'
  | 'reads `**` as one segment or more'
  | 'makes text of bytes'
  | 'forgets event names'
  | 'delivers after close'
  | 'opens after close'
  | 'publishes after close'
  | 'does not say that it is connected'
  | 'accepts messages while broken'
  | 'forgets subscriptions when it reconnects'
  | 'hides gaps'
  | 'tells gaps too late'
  | LogFault

/** One way in which a driver with positions does. */
export type LogFault =
  | 'counts positions for itself'
  | 'repeats positions'
  | 'hands over only what was subscribed to'
  | 'keeps messages to single clients out of its log'
  | 'does not say where its log begins'
  | 'forgets what its log holds'
  | 'says that its log begins at the first message'
  | 'has caught up too soon'
  | 'keeps control messages in its log'
  | 'hands control messages to everybody'

interface Kept {
  readonly at: number
  readonly message: IncomingMessage
}

interface Member {
  hear(message: IncomingMessage): void
  broke(): void
  restored(): void
}

/**
 * A broker in this process that can be cut off, and drivers on it that have one fault, or none; with or without
 * a log, and so positions.
 */
export function harnessWith(fault: Fault | undefined, hasLog = false): DriverHarness {
  const members = new Set<Member>()
  const log: Kept[] = []
  const has = (each: Fault): boolean => each === fault
  let broken = false
  let turn = 0
  let counted = 0

  return {
    name: fault ?? `without a fault, ${hasLog ? 'with' : 'without'} a log`,
    patienceMs: fault === undefined ? 5_000 : 50,
    create: async () => ({ driver: driver(), dispose: async () => {} }),
    publishPlain: async (message) => deliver(message),
    async breakConnection() {
      broken = true
      for (const member of members) member.broke()
    },
    async restoreConnection() {
      broken = false
      for (const member of members) member.restored()
    },
  }

  function deliver(message: OutgoingMessage): void {
    if (broken) return
    const payload = has('keeps the buffer of the publisher')
      ? message.payload
      : Buffer.from(message.payload)
    const kept = hasLog && !isBeside(message.topic)
    const offset = has('repeats positions') ? 1 : ++turn
    const position = { log: 'log', epoch: '', offset }
    const arriving = { ...message, payload, ...(kept && { position }) }
    if (kept) log.push({ at: performance.now(), message: arriving })
    for (const [i, member] of [...members].entries()) {
      if (has('shares the messages between drivers') && i !== turn % members.size) continue
      if (has('has caught up too soon')) setImmediate(() => member.hear(arriving))
      else member.hear(arriving)
    }
  }

  function isBeside(topic: string): boolean {
    if (topic === 'asbru.direct') return has('keeps messages to single clients out of its log')
    return topic.startsWith(CONTROL_PREFIX) && !has('keeps control messages in its log')
  }

  function driver(): Driver {
    const topics = new Set<string>()
    let receiver: Receiver | undefined
    let closed = false
    let heard = 0
    let held: IncomingMessage | undefined
    let own: OutgoingMessage | undefined
    let gapDue = false

    const member: Member = {
      hear(message) {
        const matching = [...topics].filter((topic) => matched(topic, message.topic)).length
        const times = handsOverAll(message.topic) ? 1 : matching
        if (times === 0 || lost(message)) return
        for (let i = 0; i < (has('delivers once for each subscription') ? times : 1); i++)
          hand(message)
      },
      broke: () => receiver?.status({ type: 'reconnecting' }),
      restored() {
        if (has('forgets subscriptions when it reconnects')) topics.clear()
        if (has('tells gaps too late')) gapDue = true
        else if (!has('hides gaps')) receiver?.status({ type: 'gap', reason: 'broker-reconnected' })
        receiver?.status({ type: 'connected' })
      },
    }

    return {
      name: 'faulty',
      capabilities: {
        patterns: true,
        headers: true,
        positions: hasLog,
        ordering: 'topic',
        shared: true,
      },
      async open(to, { backlogMs = 0 }) {
        if (closed && !has('opens after close')) throw new Error('closed')
        if (broken) throw new Error('out of reach')
        receiver = to
        members.add(member)
        if (!has('does not say that it is connected')) to.status({ type: 'connected' })
        if (hasLog) begin(to, performance.now() - backlogMs)
      },
      async subscribe(topic) {
        mustBeOpen()
        if (has('subscribes later than it says')) setImmediate(() => topics.add(topic))
        else topics.add(topic)
      },
      async unsubscribe(topic) {
        mustBeOpen()
        if (!has('ignores unsubscribe')) topics.delete(topic)
      },
      async publish(message) {
        if (!has('publishes after close')) mustBeOpen()
        if (broken && !has('accepts messages while broken')) throw new Error('out of reach')
        own = has('keeps what it publishes from itself') ? message : undefined
        deliver(message)
      },
      ...(hasLog && { async catchUp() {} }),
      async close() {
        closed = true
        if (!has('delivers after close')) members.delete(member)
      },
    }

    function handsOverAll(topic: string): boolean {
      if (!hasLog || has('hands over only what was subscribed to')) return false
      return !isBeside(topic) || has('hands control messages to everybody')
    }

    function mustBeOpen(): void {
      if (receiver === undefined || closed) throw new Error('not open')
    }

    function lost(message: IncomingMessage): boolean {
      return (
        (has('loses every 100th message') && ++heard % 100 === 0) || own?.topic === message.topic
      )
    }

    function hand(message: IncomingMessage): void {
      if (has('swaps neighbours') && held === undefined && message.payload.length > 0) {
        held = message
        return
      }
      const before = held
      held = undefined
      receiver!.message(changed(message))
      if (before !== undefined) receiver!.message(changed(before))
      if (gapDue) receiver!.status({ type: 'gap', reason: 'broker-reconnected' })
      gapDue = false
    }
  }

  function begin(to: Receiver, since: number): void {
    const backlog = log.filter(({ at }) => at >= since)
    const first = backlog[0]?.message.position?.offset ?? turn + 1
    const offset = has('says that its log begins at the first message') ? 0 : Number(first) - 1
    if (!has('does not say where its log begins'))
      to.status({ type: 'log', position: { log: 'log', epoch: '', offset } })
    if (!has('forgets what its log holds')) for (const { message } of backlog) to.message(message)
  }

  function changed(message: IncomingMessage): IncomingMessage {
    const { event: _, ...unnamed } = message
    if (has('counts positions for itself') && message.position !== undefined)
      return { ...message, position: { ...message.position, offset: ++counted } }
    if (has('forgets event names')) return unnamed
    if (!has('makes text of bytes')) return message
    const text = new TextDecoder().decode(message.payload)
    return { ...message, payload: new TextEncoder().encode(text) }
  }

  function matched(pattern: string, topic: string): boolean {
    if (has('mixes up upper and lower case'))
      return matches(pattern.toLowerCase(), topic.toLowerCase())
    if (has('takes reserved topics for others') && pattern.startsWith('*')) return true
    if (has('reads `**` as one segment or more') && pattern === `${topic}.**`) return false
    return matches(pattern, topic)
  }
}
