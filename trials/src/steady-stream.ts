import { setTimeout as wait } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { bytes, openedDriver } from './recorder.ts'
import type { Way } from './way.ts'

/** Publishes `0`, `1`, `2` and so on, one after the other, whatever becomes of them. */
export interface SteadyStream {
  /** Those that the broker has, as far as it said so. */
  readonly accepted: readonly number[]
  /** How many were refused. */
  readonly refusals: number
  /** Stops, and resolves once the last one has its answer. */
  stop(): Promise<void>
}

/** Starts a steady stream on a topic, with a pause between two messages, which ends with the test at the latest. */
export function steadyStream(
  publish: (topic: string, text: string) => Promise<unknown>,
  topic: string,
  pauseMs = 2,
): SteadyStream {
  const stream = { accepted: [] as number[], refusals: 0, stop }
  const over = new AbortController()
  const done = run()
  onTestFinished(stop)
  return stream

  async function run(): Promise<void> {
    for (let number = 0; !over.signal.aborted; number++) {
      try {
        await publish(topic, String(number))
        stream.accepted.push(number)
      } catch {
        stream.refusals++
      }
      await wait(pauseMs)
    }
  }

  async function stop(): Promise<void> {
    over.abort()
    await done
  }
}

/** How messages of a way are published past the proxy, by a driver of its own if it has no other. */
export async function publisherOf(
  way: Way,
): Promise<(topic: string, text: string) => Promise<unknown>> {
  if (way.publish !== undefined) return way.publish
  const { driver } = await openedDriver(await way.driver('broker'))
  return (topic, text) => driver.publish({ topic, payload: bytes(text) })
}
