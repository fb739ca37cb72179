import { setTimeout as wait } from 'node:timers/promises'
import type { Driver } from '@asbru/core'
import { bytesOf } from './recorder.ts'

/** Publishes `0`, `1`, `2` and so on, one after the other, whatever becomes of them. */
export interface SteadyStream {
  /** Those that the driver said the broker has. */
  readonly accepted: readonly number[]
  /** How many the driver refused. */
  readonly refusals: number
  /** Stops, and resolves once the last one has its answer. */
  stop(): Promise<void>
}

/** Starts a steady stream on a topic, with a pause between two messages. */
export function steadyStream(driver: Driver, topic: string, pauseMs = 5): SteadyStream {
  const stream = { accepted: [] as number[], refusals: 0, isOver: false, stop }
  const done = run()
  return stream

  async function run(): Promise<void> {
    for (let number = 0; !stream.isOver; number++) {
      try {
        await driver.publish({ topic, payload: bytesOf(String(number)) })
        stream.accepted.push(number)
      } catch {
        stream.refusals++
      }
      await wait(pauseMs)
    }
  }

  async function stop(): Promise<void> {
    stream.isOver = true
    await done
  }
}
