import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import { OrderCheck, payloadOf } from '../src/order-check.ts'

const clean = { lost: 0, reordered: 0, duplicated: 0, damaged: 0 }

/** The faults of one connection that gets these of ten messages. */
function faultsOf(numbers: readonly number[], cut = Infinity): OrderCheck {
  const check = new OrderCheck(1)
  check.sent = 10
  const stream = Buffer.from(
    `HTTP/1.1 200 OK\r\n\r\nb\r\ndata: {"config":{}}\n\n\r\n${numbers
      .map((number) => `5a\r\nid: a-${number}\nevent: T0\ndata: ${payloadOf(number)}\n\n\r\n`)
      .join('')}`,
  )
  for (let at = 0; at < stream.length; at += cut) check.read(0, stream.subarray(at, at + cut))
  check.acknowledge()
  return check
}

describe('OrderCheck', () => {
  it('finds nothing wrong with all in order, however it is cut', () => {
    for (const cut of [1, 7, 100, Infinity]) {
      const check = faultsOf([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], cut)
      expect(check.faults()).toEqual(clean)
      expect(check).toMatchObject({ deliveries: 10, acknowledged: 10 })
    }
  })

  it('counts a hole as lost, and goes on', () => {
    const check = faultsOf([0, 1, 2, 4, 5, 6, 8, 9])
    expect(check.faults()).toEqual({ ...clean, lost: 2 })
    expect(check).toMatchObject({ deliveries: 8, acknowledged: 10 })
  })

  it('counts what never came at the end as lost', () => {
    const check = faultsOf([0, 1, 2])
    expect(check.faults()).toEqual({ ...clean, lost: 7 })
    expect(check.acknowledged).toBe(3)
  })

  it('counts two that changed places as one out of order', () => {
    expect(faultsOf([0, 1, 2, 4, 3, 5, 6, 7, 8, 9]).faults()).toEqual({ ...clean, reordered: 1 })
  })

  it('counts one that comes twice', () => {
    expect(faultsOf([0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9]).faults()).toEqual({
      ...clean,
      duplicated: 1,
    })
  })

  it('counts one that was never sent, or is not as it was sent, as damaged', () => {
    expect(faultsOf([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]).faults()).toEqual({ ...clean, damaged: 1 })
    const check = new OrderCheck(1)
    check.sent = 1
    check.read(0, Buffer.from(`data: ${payloadOf(0).slice(0, -1)}y\n\n`))
    expect(check.faults()).toEqual({ ...clean, lost: 1, damaged: 1 })
  })
})
