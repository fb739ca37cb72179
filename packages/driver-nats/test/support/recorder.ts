import type { DriverStatus, IncomingMessage, OpenOptions, Receiver } from '@asbru/core'

/** What every driver here is opened with. */
export const openOptions: OpenOptions = { replica: 'replica-1', namespace: 'test' }

/** Keeps what a driver hands over, in order, and when, and waits for more. */
export class Recorder implements Receiver {
  readonly all: (IncomingMessage | DriverStatus)[] = []
  readonly messages: IncomingMessage[] = []
  readonly statuses: DriverStatus[] = []
  /** When each of the messages came, by the monotonic clock. */
  readonly times: number[] = []
  readonly #watchers = new Set<() => void>()

  message(message: IncomingMessage): void {
    this.times.push(performance.now())
    this.messages.push(message)
    this.#add(message)
  }

  status(status: DriverStatus): void {
    this.statuses.push(status)
    this.#add(status)
  }

  /** What was told of the connection and of what goes missing. */
  get types(): string[] {
    return this.statuses.map(({ type }) => type).filter((type) => type !== 'log')
  }

  /** The payloads as text. */
  get texts(): string[] {
    return this.messages.map(textOf)
  }

  /** The reasons of all gaps. */
  get gaps(): string[] {
    return this.statuses.flatMap((status) => (status.type === 'gap' ? [status.reason] : []))
  }

  /** Behind which offsets logs began. */
  get begins(): unknown[] {
    return this.statuses.flatMap((status) =>
      status.type === 'log' ? [status.position.offset] : [],
    )
  }

  /** Waits until `holds` does; the test's own time limit ends a wait in vain. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      await new Promise<void>((resolve) => {
        this.#watchers.add(resolve)
      })
    }
  }

  #add(item: IncomingMessage | DriverStatus): void {
    this.all.push(item)
    const watchers = [...this.#watchers]
    this.#watchers.clear()
    for (const watcher of watchers) watcher()
  }
}

/** A message's payload as text. */
export function textOf({ payload }: { readonly payload: Uint8Array }): string {
  return new TextDecoder().decode(payload)
}

/** Text as a payload. */
export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
