import { expect, test } from 'vitest'
import { RecentIds } from '../src/recent-ids.ts'

test('an id is new once', () => {
  const recent = new RecentIds(10)
  expect([recent.add('a'), recent.add('b'), recent.add('a')]).toEqual([true, true, false])
})

test('an id is known for as many others as were asked for, and forgotten after twice as many', () => {
  const recent = new RecentIds(10)
  recent.add('a')
  for (let i = 0; i < 10; i++) recent.add(String(i))
  expect(recent.add('a')).toBe(false)
  for (let i = 10; i < 20; i++) recent.add(String(i))
  expect(recent.add('a')).toBe(true)
})
