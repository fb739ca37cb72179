import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { TtlQueues } from '../src/clients/ttl-queues.ts'
import { ManualClock } from './support/manual-clock.ts'

const ttls = [1, 50, 60_000]
const steps = fc.oneof(
  fc.record({ do: fc.constant('add' as const), item: fc.nat(5), ttl: fc.constantFrom(...ttls) }),
  fc.record({ do: fc.constant('delete' as const), item: fc.nat(5) }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.nat(100) }),
)

test('calls for each item once, when its time is over and not before', () => {
  fc.assert(
    fc.property(fc.array(steps, { maxLength: 60 }), (script) => {
      const clock = new ManualClock()
      const waiting = new Map<number, { ttl: number; dueAt: number }>()
      let overdue = 0
      const queues = new TtlQueues<number>(clock, (item) => {
        expect(waiting.get(item)!.dueAt).toBeLessThanOrEqual(clock.now())
        waiting.delete(item)
      })
      for (const step of [...script, { do: 'wait' as const, ms: 60_000 }]) {
        if (step.do === 'add') {
          const before = waiting.get(step.item)
          if (before !== undefined) queues.delete(step.item, before.ttl)
          queues.add(step.item, step.ttl)
          waiting.set(step.item, { ttl: step.ttl, dueAt: clock.now() + step.ttl })
        } else if (step.do === 'delete') {
          const before = waiting.get(step.item)
          if (before !== undefined) queues.delete(step.item, before.ttl)
          waiting.delete(step.item)
        } else {
          clock.advance(step.ms)
          overdue += [...waiting.values()].filter(({ dueAt }) => dueAt <= clock.now()).length
        }
      }
      expect({ overdue, waiting: waiting.size }).toEqual({ overdue: 0, waiting: 0 })
    }),
  )
})

test('takes what comes back while it is called for', () => {
  const clock = new ManualClock()
  const due: string[] = []
  const queues = new TtlQueues<string>(clock, (item) => {
    due.push(`${item} ${clock.now()}`)
    if (due.length < 3) queues.add(item, 10)
  })
  queues.add('a', 10)
  clock.advance(100)
  expect(due).toEqual(['a 10', 'a 20', 'a 30'])
})

test('calls for nothing once it is cleared', () => {
  const clock = new ManualClock()
  const queues = new TtlQueues<string>(clock, () => expect.unreachable())
  queues.add('a', 10)
  queues.clear()
  clock.advance(100)
})
