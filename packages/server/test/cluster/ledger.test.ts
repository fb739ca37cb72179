import { expect, test } from 'vitest'
import { Ledger } from './support/ledger.ts'

/** What was published to `a` and `b`: numbers from 0. */
function published(a: number, b: number): Parameters<Ledger['balance']>[0] {
  return {
    topics: ['a', 'b'],
    accepted: new Map([
      ['a', numbers(a)],
      ['b', numbers(b)],
    ]),
  }
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i)
}

/** The balance of one client with both topics that got this, in this order: `a0`, `b1`, `gap`, `gap a`. */
function balanceOf(got: string, of = published(4, 2)): ReturnType<Ledger['balance']> {
  const ledger = new Ledger()
  const account = ledger.account(['a', 'b'])
  for (const each of got.split(', ')) {
    const [, topic] = each.split(' ')
    if (each.startsWith('gap'))
      account.gap({ reason: 'log-changed', ...(topic !== undefined && { topics: [topic] }) })
    else account.event(each[0]!, each.slice(1))
  }
  return ledger.balance(of)
}

const NOTHING = { lost: 0, lostUnsaid: 0, repeated: 0, disordered: 0, gaps: 0 }

test('whoever got all once and in order has lost nothing', () => {
  expect(balanceOf('a0, b0, a1, a2, b1, a3')).toMatchObject({
    ...NOTHING,
    published: 6,
    delivered: 6,
  })
})

test('what is missing is lost, and said by a gap after what came before it', () => {
  expect(balanceOf('a0, b0, b1, a3')).toMatchObject({ ...NOTHING, lost: 2, lostUnsaid: 2 })
  expect(balanceOf('a0, b0, b1, gap, a3')).toMatchObject({ ...NOTHING, lost: 2, gaps: 1 })
  expect(balanceOf('a0, b0, b1, a3, gap')).toMatchObject({ ...NOTHING, lost: 2, gaps: 1 })
  expect(balanceOf('gap, a0, b0, b1, a3')).toMatchObject({ lost: 2, lostUnsaid: 2 })
})

test('a gap of another topic says nothing', () => {
  expect(balanceOf('a0, b0, b1, gap b, a3')).toMatchObject({ lost: 2, lostUnsaid: 2 })
  expect(balanceOf('a0, b0, b1, gap a, a3')).toMatchObject({ lost: 2, lostUnsaid: 0 })
})

test('what never came at all is lost, at the beginning and at the end', () => {
  expect(balanceOf('a1, a2, b0, b1')).toMatchObject({ lost: 2, lostUnsaid: 2 })
  expect(balanceOf('gap, a1, a2, b0, b1, gap')).toMatchObject({ lost: 2, lostUnsaid: 0 })
})

test('a replay repeats, and is no disorder', () => {
  expect(balanceOf('a0, a1, a2, b0, b1, a1, a2, a3')).toMatchObject({ ...NOTHING, repeated: 2 })
})

test('what comes late for the first time is disorder', () => {
  expect(balanceOf('a0, a2, a1, a3, b0, b1')).toMatchObject({ ...NOTHING, disordered: 1 })
})

test('what a gap told of may come late, from a replica that has it', () => {
  expect(balanceOf('a0, gap, a2, a0, a1, a3, b0, b1')).toMatchObject({ lost: 0, disordered: 0 })
  expect(balanceOf('a0, a2, gap, a0, a1, a3, b0, b1')).toMatchObject({ lost: 0, disordered: 0 })
  expect(balanceOf('gap, a0, a2, a1, gap, a3, b0, b1')).toMatchObject({ lost: 0, disordered: 1 })
})

test('an event of a topic that the client does not have is an error', () => {
  expect(() => new Ledger().account(['a']).event('b', '0')).toThrow('which it does not have')
})
