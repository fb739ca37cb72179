import type { KafkaMessage } from 'kafkajs'
import { expect, test } from 'vitest'
import { PartitionLog } from '../src/partition-log.ts'

function record(offset: number, value = `value ${offset}`): KafkaMessage {
  return {
    offset: String(offset),
    value: Buffer.from(value),
    key: null,
    timestamp: '1',
    attributes: 0,
    headers: {},
  }
}

/** One that was read up to before `next`, with a last record that is known. */
function readTo(next: number): PartitionLog {
  const log = new PartitionLog('asbru', 0, 'epoch', next - 1)
  log.read(record(next - 1), next - 1)
  return log
}

test('begins one record before, which shows what the log looks like', () => {
  const log = new PartitionLog('asbru', 0, '', 10)
  expect(log.readFrom).toBe(9)
  expect(log.judge([record(9), record(10)])).toBe('next')
  log.read(record(9), 9)
  expect(log.next).toBe(10)
  expect(log.judge([record(9, 'another')])).toBe('changed')
})

test('begins an empty log at its beginning', () => {
  expect(new PartitionLog('asbru', 0, '', 0).readFrom).toBe(0)
})

test('goes on at the record after the last, and looks at the last again', () => {
  const log = readTo(10)
  expect(log.readFrom).toBe(9)
  expect(log.judge([record(10)])).toBe('next')
  expect(log.judge([record(9), record(10)])).toBe('next')
  expect(log.judge([record(9, 'another'), record(10)])).toBe('changed')
})

test('says where records are missing, and where it is shown what it was not to be shown', () => {
  const log = readTo(10)
  expect(log.judge([record(12)])).toBe('skipped')
  expect(log.judge([record(0), record(1)])).toBe('behind')
  expect(log.judge([record(8), record(9, 'another')])).toBe('changed')
})

test('counts what a batch holds beside its records, and looks at the last record again', () => {
  const log = readTo(10)
  log.read(record(10), 12)
  expect([log.next, log.readFrom]).toEqual([13, 10])
  expect(log.judge([record(10), record(13)])).toBe('next')
})

test('forgets the log that was, when it is made anew', () => {
  const log = readTo(10)
  log.restart(2)
  expect([log.next, log.readFrom, log.restarts]).toEqual([2, 1, 1])
  expect(log.judge([record(2, 'another')])).toBe('next')
})

test.each([
  ['asbru', 3, /^asbru-3$/],
  ['orders.eu', 0, /^orders-eu-[0-9a-f]{16}-0$/],
  ['x'.repeat(249), 63, /^x{36}-[0-9a-f]{16}-63$/],
])('names the log of %s %i', (topic, partition, name) => {
  const { log, epoch, offset } = new PartitionLog(topic, partition, 'e', 0).positionOf(7)
  expect(log).toMatch(name)
  expect(log.length).toBeLessThanOrEqual(64)
  expect([epoch, offset]).toEqual(['e', 7])
})

test('names logs of topics apart that look alike', () => {
  const [one, other] = ['a.b', 'a-b'].map((topic) =>
    new PartitionLog(topic, 0, '', 0).positionOf(0),
  )
  expect(one!.log).not.toBe(other!.log)
})
