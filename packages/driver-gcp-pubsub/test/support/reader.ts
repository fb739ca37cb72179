import { randomUUID } from 'node:crypto'
import type { Driver } from '@asbru/core'
import { gcpPubsubDriver, type GcpPubsubDriverOptions } from '@asbru/driver-gcp-pubsub'
import { onTestFinished } from 'vitest'
import { Recorder } from '../../../driver-nats/test/support/recorder.ts'

/** An open driver, and what it handed over. */
export interface Reader {
  readonly driver: Driver
  readonly inbox: Recorder
  /** The id of its subscription. */
  readonly subscription: string
}

/** A driver that is open and subscribed, until the test is over. */
export async function reader(
  options: GcpPubsubDriverOptions,
  ...topics: string[]
): Promise<Reader> {
  const driver = gcpPubsubDriver(options)
  onTestFinished(() => driver.close())
  const inbox = new Recorder()
  const replica = randomUUID()
  await driver.open(inbox, { replica, namespace: 'test' })
  for (const topic of topics) await driver.subscribe(topic)
  return { driver, inbox, subscription: `asbru-test-${replica}` }
}
