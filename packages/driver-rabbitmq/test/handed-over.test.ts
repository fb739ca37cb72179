import { expect, test } from 'vitest'
import { HandedOver } from '../src/handed-over.ts'

/** After the messages were handed over and the connection was lost. */
function afterBreak(...prints: string[]): HandedOver {
  const handedOver = new HandedOver(10)
  for (const print of prints) handedOver.isNew(print, false)
  handedOver.begin(false)
  return handedOver
}

test('knows what comes again after a break', () => {
  const handedOver = afterBreak('a', 'b')
  expect(handedOver.isNew('a', true)).toBe(false)
  expect(handedOver.isNew('b', true)).toBe(false)
  expect(handedOver.isNew('c', true)).toBe(true)
})

test('takes what is not marked as redelivered for new', () => {
  const handedOver = afterBreak('a')
  expect(handedOver.isNew('a', false)).toBe(true)
})

test('knows what comes again after one break that follows another at once', () => {
  const handedOver = afterBreak('a', 'b')
  expect(handedOver.isNew('a', true)).toBe(false)
  handedOver.begin(false)
  handedOver.begin(false)
  expect(handedOver.isNew('a', true)).toBe(false)
  expect(handedOver.isNew('b', true)).toBe(false)
})

test('takes a message for new whose like the broker knows to be acknowledged, unless it was restarted', () => {
  const handedOver = new HandedOver(10)
  handedOver.isNew('a', false)
  handedOver.confirm(0)
  handedOver.begin(false)
  expect(handedOver.isNew('a', true)).toBe(true)
  handedOver.isNew('b', false)
  handedOver.confirm(0)
  handedOver.begin(true)
  expect(handedOver.isNew('b', true)).toBe(false)
})

test('hands over once more what cannot be told apart', () => {
  const handedOver = afterBreak('a', 'a')
  expect(handedOver.isNew('a', true)).toBe(true)
})
