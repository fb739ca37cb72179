import {
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
  | 'counts positions for itself'
  | 'repeats positions'
  | 'delivers after close'
  | 'opens after close'
  | 'publishes after close'
  | 'does not say that it is connected'
  | 'accepts messages while broken'
  | 'forgets subscriptions when it reconnects'
  | 'hides gaps'
  | 'tells gaps too late'

interface Member {
  hear(message: IncomingMessage): void
  broke(): void
  restored(): void
}

/** A broker in this process that can be cut off, and drivers on it that have one fault, or none. */
export function harnessWith(fault: Fault | undefined): DriverHarness {
  const members = new Set<Member>()
  const has = (each: Fault): boolean => each === fault
  let broken = false
  let turn = 0
  let counted = 0

  return {
    name: fault ?? 'without a fault',
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
    turn++
    for (const [i, member] of [...members].entries()) {
      if (has('shares the messages between drivers') && i !== turn % members.size) continue
      const offset = has('repeats positions') ? 1 : turn
      member.hear({ ...message, payload, position: { log: 'log', epoch: '', offset } })
    }
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
        const times = [...topics].filter((topic) => matched(topic, message.topic)).length
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
        positions: true,
        ordering: 'topic',
        shared: true,
      },
      async open(to) {
        if (closed && !has('opens after close')) throw new Error('closed')
        if (broken) throw new Error('out of reach')
        receiver = to
        members.add(member)
        if (!has('does not say that it is connected')) to.status({ type: 'connected' })
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
      async close() {
        closed = true
        if (!has('delivers after close')) members.delete(member)
      },
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

  function changed(message: IncomingMessage): IncomingMessage {
    const { event: _, ...unnamed } = message
    if (has('counts positions for itself'))
      return { ...message, position: { ...message.position!, offset: ++counted } }
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
