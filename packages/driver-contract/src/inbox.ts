import type { DriverStatus, IncomingMessage, Receiver } from '@asbru/core'

/** Keeps all that a driver hands over, in order, and waits for more. */
export class Inbox implements Receiver {
  readonly messages: IncomingMessage[] = []
  readonly statuses: DriverStatus[] = []
  /** Both, as they came. */
  readonly all: (IncomingMessage | DriverStatus)[] = []
  readonly #patienceMs: number
  readonly #waiting = new Set<() => void>()

  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs
  }

  message(message: IncomingMessage): void {
    this.messages.push(message)
    this.#add(message)
  }

  status(status: DriverStatus): void {
    this.statuses.push(status)
    this.#add(status)
  }

  /** The payloads that came on `topic`, as text. */
  texts(topic: string): string[] {
    return this.messages
      .filter((message) => message.topic === topic)
      .map((message) => new TextDecoder().decode(message.payload))
  }

  /** Whether a status of that type came. */
  told(type: DriverStatus['type']): boolean {
    return this.statuses.some((status) => status.type === type)
  }

  /** Waits until `holds` does; `what` stands in the error of one that waits in vain. */
  async until(what: string, holds: () => boolean): Promise<void> {
    if (holds()) return
    await new Promise<void>((resolve, reject) => {
      const check = (): void => {
        if (!holds()) return
        clearTimeout(timer)
        this.#waiting.delete(check)
        resolve()
      }
      const timer = setTimeout(() => {
        this.#waiting.delete(check)
        const seen = `${this.messages.length} messages, statuses ${JSON.stringify(this.statuses.map(({ type }) => type))}`
        reject(new Error(`Waited ${this.#patienceMs} ms in vain for: ${what}. So far: ${seen}.`))
      }, this.#patienceMs)
      this.#waiting.add(check)
    })
  }

  /** Waits until so many messages came on `topic`. */
  untilCount(topic: string, count: number): Promise<void> {
    let seen = 0
    let next = 0
    return this.until(`${count} messages on ${topic}`, () => {
      for (; next < this.messages.length; next++) if (this.messages[next]!.topic === topic) seen++
      return seen >= count
    })
  }

  #add(item: IncomingMessage | DriverStatus): void {
    this.all.push(item)
    for (const check of this.#waiting) check()
  }
}
