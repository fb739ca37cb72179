import { expect } from 'vitest'
import type { Recorder } from './recorder.ts'

/** Expects that each number came once and in order, and that none is missing but where a gap says so. */
export function expectNoSilentLoss(recorder: Recorder, accepted: readonly number[]): void {
  const numbers = recorder.numbers
  expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b))
  const arrived = new Set(numbers)
  const missing = accepted.filter((number) => !arrived.has(number))
  const holes = holesOf(recorder.all)
  expect(missing.filter((number) => !holes.some(([a, b]) => number > a && number < b))).toEqual([])
}

/** The last number before each gap, and the first one after it. */
function holesOf(all: readonly string[]): [number, number][] {
  const holes: [number, number][] = []
  let last = -1
  let isOpen = false
  for (const text of all) {
    if (text.startsWith('gap ')) isOpen = true
    if (!/^\d+$/.test(text)) continue
    if (isOpen) holes.push([last, Number(text)])
    isOpen = false
    last = Number(text)
  }
  return holes
}
