import { Buffer } from 'node:buffer'
import type { Driver, DriverStatus, IncomingMessage, OpenOptions, Receiver } from '@asbru/core'
import { onTestFinished, vi } from 'vitest'
import { wantedOnly } from '../../src/wanted.ts'

/** An open driver, and what it handed over of that to which it is subscribed. */
export class Opened implements Receiver {
  readonly driver: Driver
  readonly messages: IncomingMessage[] = []
  readonly statuses: DriverStatus[] = []
  /** Behind which offsets its logs began. */
  readonly begins: (number | bigint)[] = []
  /** Payloads as text and names of all other statuses, as they came. */
  readonly all: string[] = []

  constructor(driver: Driver) {
    this.driver = driver
  }

  message(message: IncomingMessage): void {
    this.messages.push(message)
    this.all.push(Buffer.from(message.payload).toString())
  }

  status(status: DriverStatus): void {
    this.statuses.push(status)
    if (status.type === 'log') this.begins.push(status.position.offset)
    else this.all.push(status.type === 'gap' ? `gap ${status.reason}` : status.type)
  }

  /** The payloads as numbers. */
  get numbers(): number[] {
    return this.messages.map(({ payload }) => Number(Buffer.from(payload).toString()))
  }

  get gaps(): string[] {
    return this.all.filter((text) => text.startsWith('gap'))
  }

  /** How often it said so. */
  told(text: string): number {
    return this.all.filter((each) => each === text).length
  }
}

/** A driver that is open and subscribed, until the test is over. */
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
  const receiver = new Opened(wanted)
  onTestFinished(() => driver.close())
  await wanted.open(receiver, { replica: 'r', namespace: 'n', ...options })
  for (const topic of topics) await wanted.subscribe(topic)
  return receiver
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

/** A payload of text. */
export function bytes(text: string | number): Uint8Array {
  return new TextEncoder().encode(String(text))
}
