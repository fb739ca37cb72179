import { randomUUID } from 'node:crypto'
import type { Driver, DriverStatus, IncomingMessage, OpenOptions, Receiver } from '@asbru/core'
import { onTestFinished, vi } from 'vitest'
import { wantedOnly } from '../../packages/driver-contract/src/wanted.ts'

/** Keeps what a driver hands over, in order, and waits for more. */
export class Recorder implements Receiver {
  readonly messages: IncomingMessage[] = []
  readonly statuses: DriverStatus[] = []
  /** Behind which offsets its logs began. */
  readonly begins: (number | bigint)[] = []
  /** Payloads as text and names of all other statuses, a gap with its reason, as they came. */
  readonly all: string[] = []
  readonly #watchers = new Set<() => void>()

  message(message: IncomingMessage): void {
    this.messages.push(message)
    this.#add(textOf(message))
  }

  status(status: DriverStatus): void {
    this.statuses.push(status)
    if (status.type === 'log') this.begins.push(status.position.offset)
    else this.#add(status.type === 'gap' ? `gap ${status.reason}` : status.type)
  }

  /** The payloads as text. */
  get texts(): string[] {
    return this.messages.map(textOf)
  }

  /** The payloads as numbers. */
  get numbers(): number[] {
    return this.texts.map(Number)
  }

  /** What was told of the connection and of what goes missing. */
  get types(): DriverStatus['type'][] {
    return this.statuses.map(({ type }) => type).filter((type) => type !== 'log')
  }

  /** The reasons of all gaps. */
  get gaps(): string[] {
    return this.statuses.flatMap((status) => (status.type === 'gap' ? [status.reason] : []))
  }

  /** How often it said so. */
  told(text: string): number {
    return this.all.filter((each) => each === text).length
  }

  /** Waits until `holds` does; the test's own time limit ends a wait in vain. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      await new Promise<void>((resolve) => {
        this.#watchers.add(resolve)
      })
    }
  }

  #add(text: string): void {
    this.all.push(text)
    const watchers = [...this.#watchers]
    this.#watchers.clear()
    for (const watcher of watchers) watcher()
  }
}

/** An open driver, and what it handed over. */
export class Opened extends Recorder {
  readonly driver: Driver
  /** The name under which the driver was opened. */
  readonly replica: string = randomUUID()

  constructor(driver: Driver) {
    super()
    this.driver = driver
  }
}

/** What a driver is opened with. */
export function openOptions(replica: string = randomUUID()): OpenOptions {
  return { replica, namespace: 'test' }
}

/** A driver that is open and subscribed, until the test is over; of its logs arrives what it is subscribed to. */
export function openedDriver(driver: Driver, ...topics: string[]): Promise<Opened> {
  return openedWith(driver, {}, ...topics)
}

/** The same, opened with options. */
export async function openedWith(
  driver: Driver,
  options: Pick<OpenOptions, 'backlogMs'>,
  ...topics: string[]
): Promise<Opened> {
  const wanted = wantedOnly(driver)
  const opened = new Opened(wanted)
  onTestFinished(() => driver.close())
  await wanted.open(opened, { ...openOptions(opened.replica), ...options })
  for (const topic of topics) await wanted.subscribe(topic)
  return opened
}

/** Waits until `holds` does. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  timeout = 20_000,
): Promise<void> {
  await vi.waitFor(
    async () => {
      if (!(await holds())) throw new Error(`Waited ${timeout} ms in vain for: ${holds.toString()}`)
    },
    { timeout, interval: 10 },
  )
}

/** A message's payload as text. */
export function textOf({ payload }: { readonly payload: Uint8Array }): string {
  return new TextDecoder().decode(payload)
}

/** Text as a payload. */
export function bytes(text: string | number): Uint8Array {
  return new TextEncoder().encode(String(text))
}
