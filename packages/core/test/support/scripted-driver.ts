import {
  type Driver,
  type DriverCapabilities,
  type DriverStatus,
  type IncomingMessage,
  matches,
  type Receiver,
} from '../../src/index.ts'

/** A call of a driver's method, such as `subscribe news`. */
type DriverCall = string

/** A driver that hears itself, notes what it is asked, and fails where a test says so. */
export interface ScriptedDriver extends Driver {
  readonly calls: DriverCall[]
  /** Calls that reject, such as `open` or `subscribe news`. */
  readonly failing: Set<DriverCall>
  /** Calls that wait for the promise before they are answered. */
  readonly held: Map<DriverCall, Promise<void>>
  /** Hands a message to the Streamer, whether it subscribed or not. */
  hand(message: IncomingMessage): void
  tell(status: DriverStatus): void
}

/** Makes one; `capabilities` stand in place of its own. */
export function scriptedDriver(capabilities: Partial<DriverCapabilities> = {}): ScriptedDriver {
  const topics = new Set<string>()
  let receiver: Receiver | undefined
  const driver: ScriptedDriver = {
    name: 'scripted',
    capabilities: {
      patterns: true,
      headers: true,
      positions: false,
      ordering: 'topic',
      shared: false,
      ...capabilities,
    },
    calls: [],
    failing: new Set(),
    held: new Map(),
    async open(to) {
      await asked('open')
      receiver = to
      to.status({ type: 'connected' })
    },
    async subscribe(topic) {
      await asked(`subscribe ${topic}`)
      topics.add(topic)
    },
    async unsubscribe(topic) {
      await asked(`unsubscribe ${topic}`)
      topics.delete(topic)
    },
    async publish(message) {
      await asked(`publish ${message.topic}`)
      if ([...topics].some((topic) => matches(topic, message.topic))) receiver?.message(message)
    },
    async close() {
      await asked('close')
    },
    hand: (message) => receiver!.message(message),
    tell: (status) => receiver!.status(status),
  }
  return driver

  async function asked(call: DriverCall): Promise<void> {
    driver.calls.push(call)
    await driver.held.get(call)
    if (driver.failing.has(call)) throw new Error(`the broker refuses: ${call}`)
  }
}

/** A message with text as its payload. */
export function textMessage(topic: string, text: string): IncomingMessage {
  return { topic, payload: new TextEncoder().encode(text) }
}
