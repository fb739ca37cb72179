import { expect, test } from 'vitest'
import { CatchingUp } from '../src/catching-up.ts'

/** Whether a promise is settled by now, and how. */
async function stateOf(promise: Promise<void>): Promise<string> {
  const settled = promise.then(
    () => 'done',
    () => 'given up',
  )
  return Promise.race([settled, new Promise<string>((resolve) => setImmediate(resolve, 'waiting'))])
}

test('is over at once where there is nothing to wait for, else with what was waited for', async () => {
  const catching = new CatchingUp()
  expect(await stateOf(catching.until(() => true))).toBe('done')
  let next = 0
  const waiting = catching.until(() => next >= 2)
  for (next = 1; next < 2; next++) catching.read()
  expect(await stateOf(waiting)).toBe('waiting')
  catching.read()
  expect(await stateOf(waiting)).toBe('done')
})

test('is over once each broker was asked after all was read, and has nothing', async () => {
  const catching = new CatchingUp()
  catching.answered(1)
  catching.answered(2)
  const waiting = catching.until(() => false)
  for (const broker of [1, 2, 1, 2, 1]) catching.answered(broker)
  expect(await stateOf(waiting)).toBe('waiting')
  catching.read()
  for (const broker of [2, 1, 2, 1, 2]) catching.answered(broker)
  expect(await stateOf(waiting)).toBe('waiting')
  catching.answered(1)
  expect(await stateOf(waiting)).toBe('done')
})

test('waits for no broker that is not asked any more', async () => {
  const catching = new CatchingUp()
  catching.answered(1)
  catching.answered(2)
  const waiting = catching.until(() => false)
  catching.restart()
  for (const broker of [2, 2, 2]) catching.answered(broker)
  expect(await stateOf(waiting)).toBe('done')
})

test('is given up with all who wait', async () => {
  const catching = new CatchingUp()
  const waiting = [catching.until(() => false), catching.until(() => false)]
  catching.giveUp(new Error('lost'))
  for (const each of waiting) expect(await stateOf(each)).toBe('given up')
})
