import { setTimeout as delay } from 'node:timers/promises'

/** Asks again every 20 ms until the answer is true; false if it was not within the time. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  withinMs: number,
): Promise<boolean> {
  const deadline = Date.now() + withinMs
  while (!(await condition())) {
    if (Date.now() > deadline) return false
    await delay(20)
  }
  return true
}
