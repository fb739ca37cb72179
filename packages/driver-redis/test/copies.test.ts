import { Buffer } from 'node:buffer'
import { expect, test } from 'vitest'
import { Copies } from '../src/copies.ts'

/** What is left of copies, each written as `subscription topic payload`; `-` is a confirmed change. */
function firsts(...arrived: string[]): string[] {
  const copies = new Copies()
  return arrived.filter((text) => {
    if (text === '-') {
      copies.subscriptionsChanged()
      return false
    }
    const [by, topic, payload] = text.split(' ') as [string, string, string]
    return copies.isFirst(by, Buffer.from(topic), Buffer.from(payload))
  })
}

test('lets one copy of each message through', () => {
  expect(firsts('a t 1', 'b t 1', 'c t 1', 'a t 2', 'b t 2')).toEqual(['a t 1', 'a t 2'])
})

test('tells two equal messages from two copies of one', () => {
  expect(firsts('a t 1', 'b t 1', 'a t 1', 'b t 1')).toEqual(['a t 1', 'a t 1'])
  expect(firsts('a t 1', 'a t 1', 'a t 1')).toHaveLength(3)
})

test('takes no order among the subscriptions for granted', () => {
  expect(firsts('a t 1', 'b t 1', 'b t 1', 'a t 1')).toEqual(['a t 1', 'b t 1'])
})

test('takes equal payloads of two topics for two messages', () => {
  expect(firsts('a t 1', 'b u 1')).toHaveLength(2)
})

test('takes what follows a change of subscriptions for another message', () => {
  expect(firsts('a t 1', '-', 'b t 1')).toEqual(['a t 1', 'b t 1'])
})
