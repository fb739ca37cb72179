import type { Duplex } from 'node:stream'
import {
  type ChannelModel,
  connect,
  type Options,
  type RecoveringChannelModel,
  type SocketOptions,
} from 'amqplib'
import { within } from './patience.ts'

/** How the driver connects: the two arguments of `connect` of amqplib. */
export interface RabbitmqConnection {
  /** `amqp:` or `amqps:`, or its parts. */
  url: string | Options.Connect
  /** For the socket, such as certificates. */
  socketOptions?: SocketOptions
}

/** Where the connection comes from: made by the driver, or one that exists. */
export type RabbitmqSource =
  | {
      /** A URL, or the arguments of `connect` of amqplib. @default 'amqp://127.0.0.1:5672' */
      connection?: string | RabbitmqConnection
    }
  | {
      /** A connection made with the option `recovery`, without which amqplib does not come back; it is left open. */
      client: RecoveringChannelModel
    }

/** What happens to a {@link Link}. */
export interface LinkListener {
  lost(error: unknown): void
  /** Channels can be opened again. */
  back(): void
}

const LOCAL = 'amqp://127.0.0.1:5672'
/** A link that fell silent is found after two to three of these. */
const HEARTBEAT_S = 5
const CONNECT_MS = 5_000
/** How long a broker that may be out of reach is waited for at the end. */
const FAREWELL_MS = 1_000
/** With amqplib's own, an outage of 10 s takes 12 s more. */
const RECOVERY = { initialDelay: 100, maxDelay: 1_000, waitForConnect: false }

/** A connection, ours or not, that amqplib makes again whenever it is lost. */
export class Link {
  readonly client: RecoveringChannelModel
  readonly #isOurs: boolean
  readonly #listeners: readonly (readonly [string, Parameters<RecoveringChannelModel['on']>[1]])[]
  #model: ChannelModel | undefined
  #error: unknown
  #online = false
  #blocked: string | undefined
  #listener: LinkListener | undefined

  private constructor(client: RecoveringChannelModel, isOurs: boolean) {
    this.client = client
    this.#isOurs = isOurs
    this.#listeners = [
      ['connect', (model: ChannelModel) => this.#connected(model)],
      ['connect-failed', (error: Error) => (this.#error = error)],
      ['disconnect', (error: Error) => this.#disconnected(error)],
      ['blocked', (reason: string) => (this.#blocked = reason)],
      ['unblocked', () => (this.#blocked = undefined)],
      // Nobody else may listen, and then it would end the process. What it says comes with `disconnect` too.
      ['error', () => {}],
    ]
    for (const [event, listener] of this.#listeners) client.on(event, listener)
  }

  /** Resolves once connected; rejects after `timeoutMs` (0: never) with what stood in the way. */
  static async open(source: RabbitmqSource, timeoutMs: number, signal: AbortSignal): Promise<Link> {
    const isOurs = !('client' in source)
    const link = new Link(isOurs ? await connectTo(source.connection) : source.client, isOurs)
    try {
      await within(link.client.waitForConnect(), timeoutMs, signal)
      link.#online = true
      return link
    } catch (error) {
      await link.close()
      throw signal.aborted ? error : (link.#error ?? error)
    }
  }

  /** Whether it reaches a broker, for all that is known. */
  get online(): boolean {
    return this.#online
  }

  /** Why the broker takes no messages, while it does not. */
  get blocked(): string | undefined {
    return this.#blocked
  }

  listen(listener: LinkListener): void {
    this.#listener = listener
  }

  /** Leaves a connection that is not ours open. */
  async close(): Promise<void> {
    this.#listener = undefined
    if (!this.#isOurs) {
      for (const [event, listener] of this.#listeners) this.client.off(event, listener)
      return
    }
    // On a link that fell silent there is no answer.
    await within(this.client.close(), FAREWELL_MS).catch(() => {})
    this.#destroySocket()
  }

  #connected(model: ChannelModel): void {
    this.#model = model
    this.#error = undefined
    this.#blocked = undefined
    this.#online = true
    this.#listener?.back()
  }

  #disconnected(error: Error): void {
    this.#online = false
    this.#error = error
    this.#destroySocket()
    this.#listener?.lost(error)
  }

  /** amqplib only ends its own side, and a silent peer never ends the other. */
  #destroySocket(): void {
    if (this.#isOurs)
      (this.#model?.connection as { stream?: Duplex } | undefined)?.stream?.destroy()
    this.#model = undefined
  }
}

function connectTo(
  connection: string | RabbitmqConnection = LOCAL,
): Promise<RecoveringChannelModel> {
  const { url, socketOptions } = typeof connection === 'string' ? { url: connection } : connection
  return connect(withHeartbeat(url), {
    noDelay: true,
    timeout: CONNECT_MS,
    ...socketOptions,
    recovery: RECOVERY,
  })
}

function withHeartbeat(url: string | Options.Connect): string | Options.Connect {
  if (typeof url !== 'string') return { heartbeat: HEARTBEAT_S, ...url }
  if (/[?&]heartbeat=/.test(url)) return url
  return `${url}${url.includes('?') ? '&' : '?'}heartbeat=${HEARTBEAT_S}`
}
