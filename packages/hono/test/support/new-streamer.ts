import { Streamer, type StreamerOptions } from '@asbru/core'
import { memoryDriver } from '@asbru/driver-memory'
import { onTestFinished } from 'vitest'

/** A Streamer on the memory driver, closed at the end of the test. */
export function newStreamer(options: Partial<StreamerOptions> = {}): Streamer {
  const streamer = new Streamer({ driver: memoryDriver(), drainMs: 0, ...options })
  onTestFinished(() => streamer.close())
  return streamer
}
