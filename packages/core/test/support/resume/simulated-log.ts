import type {
  Driver,
  IncomingMessage,
  OpenOptions,
  OutgoingMessage,
  Position,
  Receiver,
} from '../../../src/index.ts'
import type { SeededRandom } from '../cluster/seeded-random.ts'
import type { FlowDriver } from './simulated-flow.ts'
import type { SimulatedProcess } from './simulated-process.ts'

/** A log of a broker. Its messages are numbered from 1 on. */
export interface SimulatedLog {
  readonly epoch: string
  readonly messages: { readonly at: number; readonly message: IncomingMessage }[]
  /** The first number that it still holds. */
  first: number
}

/** Logs by name. */
export class LogBroker {
  readonly logs = new Map<string, SimulatedLog>()
  readonly #hasEpochs: boolean
  readonly #isHuge: boolean
  #made = 0

  constructor(names: readonly string[], hasEpochs: boolean, isHuge: boolean) {
    this.#hasEpochs = hasEpochs
    this.#isHuge = isHuge
    for (const name of names) this.make(name)
  }

  /** Makes a log in the place of the one of that name, if there is one. */
  make(name: string): void {
    const epoch = this.#hasEpochs ? `e${++this.#made}` : ''
    this.logs.set(name, { epoch, messages: [], first: 1 })
  }

  trim(log: SimulatedLog, left: number): void {
    log.first = Math.max(log.first, log.messages.length + 1 - left)
  }

  positionOf(name: string, { epoch }: SimulatedLog, number: number): Position {
    const offset = this.#isHuge ? (1_763_000_000_000n << 64n) + BigInt(number) : number
    return { log: name, epoch, offset }
  }
}

/** What it works with. */
export interface LogDriverOptions {
  readonly broker: LogBroker
  readonly process: SimulatedProcess
  readonly random: SeededRandom
  readonly now: () => number
  /** Carries what replicas tell each other. */
  readonly control: FlowDriver
}

/** Reads all logs of a broker, each with a lag of its own. */
export class LogDriver implements Driver {
  readonly name: string
  readonly capabilities: Driver['capabilities']
  readonly #options: LogDriverOptions
  readonly #readers = new Map<string, { log: SimulatedLog; number: number }>()
  /** Whether it loses the next message that it reads. */
  #isLosing = false
  #receiver: Receiver | undefined

  constructor(options: LogDriverOptions) {
    this.#options = options
    this.name = options.control.name
    this.capabilities = { ...options.control.capabilities, positions: true }
  }

  async open(receiver: Receiver, { backlogMs = 0 }: OpenOptions): Promise<void> {
    const { broker, control, now, random, process } = this.#options
    await control.open({
      message: (message) => receiver.message(message),
      status: (status) => status.type === 'gap' || receiver.status(status),
    })
    this.#receiver = receiver
    for (const [name, log] of broker.logs) {
      const since = log.messages.findIndex(({ at }) => at >= now() - backlogMs)
      const before = since < 0 ? log.messages.length : since
      const number = Math.max(log.first - 1, before)
      this.#readers.set(name, { log, number })
      this.#tellPlace(name)
      this.#read(name, Number.POSITIVE_INFINITY)
    }
    for (const name of broker.logs.keys())
      process.after(random.between(1, 50), () => this.#poll(name))
  }

  async subscribe(topic: string): Promise<void> {
    if (topic.startsWith('asbru.control.')) await this.#options.control.subscribe(topic)
  }

  async unsubscribe(): Promise<void> {
    // It reads all there is.
  }

  publish(message: OutgoingMessage): Promise<void> {
    return this.#options.control.publish(message)
  }

  async catchUp(): Promise<void> {
    const { process, random, control } = this.#options
    await process.pause(random.between(1, 30))
    if (!control.isConnected) throw new Error('The broker is out of reach.')
    for (const name of this.#readers.keys()) this.#read(name, Number.POSITIVE_INFINITY)
  }

  close(): Promise<void> {
    return this.#options.control.close()
  }

  /** Loses a message, of which it knows no more than that. */
  loseOne(): void {
    this.#isLosing = true
  }

  #poll(name: string): void {
    const { process, random, control } = this.#options
    if (control.isConnected) this.#read(name, random.choose([1, 5, 20, 60]))
    process.after(random.choose([10, 50, 300, 1_500]), () => this.#poll(name))
  }

  #read(name: string, most: number): void {
    const { broker } = this.#options
    const reader = this.#readers.get(name)!
    const log = broker.logs.get(name)!
    if (reader.log !== log) this.#goOn(name, log, 'log-changed')
    else if (log.first > reader.number + 1) this.#goOn(name, log, 'log-trimmed')
    const end = Math.min(log.messages.length, reader.number + most)
    while (reader.number < end) {
      const { message } = log.messages[reader.number++]!
      if (this.#isLosing) {
        this.#isLosing = false
        this.#receiver!.status({ type: 'gap', reason: 'messages-dropped' })
        continue
      }
      const position = broker.positionOf(name, log, reader.number)
      this.#receiver!.message({ ...message, position })
    }
  }

  #goOn(name: string, log: SimulatedLog, reason: 'log-changed' | 'log-trimmed'): void {
    const reader = this.#readers.get(name)!
    reader.log = log
    reader.number = log.first - 1
    this.#receiver!.status({ type: 'gap', reason })
    this.#tellPlace(name)
  }

  #tellPlace(name: string): void {
    const { log, number } = this.#readers.get(name)!
    const position = this.#options.broker.positionOf(name, log, number)
    this.#receiver!.status({ type: 'log', position })
  }
}
