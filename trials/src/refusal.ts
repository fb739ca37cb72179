import type { Driver } from '@asbru/core'
import { expect } from 'vitest'
import { bytes } from './recorder.ts'
import type { Way } from './way.ts'

/** Expects that a publish is refused, in the time that the way promises, while the broker is out of reach. */
export async function expectRefusal(way: Way, driver: Driver): Promise<void> {
  const begun = performance.now()
  const publishing = driver.publish({ topic: 'refused', payload: bytes('refused') })
  await expect(publishing).rejects.toBeInstanceOf(Error)
  expect(performance.now() - begun).toBeLessThan(way.refusesWithinMs)
}
