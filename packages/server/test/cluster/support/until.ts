import { setTimeout as wait } from 'node:timers/promises'

/** Resolves once the condition holds; rejects, saying what was waited for, if it does not in time. */
export async function until(
  what: string,
  withinMs: number,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + withinMs
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`)
    await wait(20)
  }
}
