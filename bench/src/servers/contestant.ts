import type { Buffer } from 'node:buffer'
import type { Range } from '../server.ts'

/** A server that is measured, running in a process of its own. */
export interface Contestant {
  /** Port of the event streams. */
  readonly port: number
  /** Path of the event stream; `%d` stands for the number of the connection. */
  readonly path: string
  /** Root of its HTTP API, for one that is asked there instead of by the functions below. */
  readonly api?: string
  /** Gives a message to all who are connected, in this turn. */
  publish(topic: string, payload: Buffer): void
  /** How many connections get what is published now. */
  receivers?(): number | Promise<number>
  /** Makes what connections need before they come. */
  prepare?(range: Range): Promise<void>
}
