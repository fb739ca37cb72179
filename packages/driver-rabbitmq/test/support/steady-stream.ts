import { setTimeout as wait } from 'node:timers/promises'
import type { OutgoingMessage } from '@asbru/core'
import { bytes } from './opened.ts'

/** Publishes `0`, `1`, `2` and so on, one after the other, whatever becomes of them. */
export interface SteadyStream {
  /** Those that the broker confirmed. */
  readonly accepted: readonly number[]
  /** Stops, and resolves once the last one has its answer. */
  stop(): Promise<void>
}

/** Starts a steady stream on a topic. */
export function steadyStream(
  publish: (message: OutgoingMessage) => Promise<void>,
  topic: string,
): SteadyStream {
  const accepted: number[] = []
  const over = new AbortController()
  const done = run()
  return {
    accepted,
    stop() {
      over.abort()
      return done
    },
  }

  async function run(): Promise<void> {
    for (let next = 0; !over.signal.aborted; next++) {
      try {
        await publish({ topic, payload: bytes(next) })
        accepted.push(next)
      } catch {
        // The broker is away.
      }
      await wait(1)
    }
  }
}
