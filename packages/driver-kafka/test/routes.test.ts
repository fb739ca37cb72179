import { kafkaDriver } from '@asbru/driver-kafka'
import { expect, test } from 'vitest'
import { Routes } from '../src/routes.ts'

const records = new Routes({ topics: ['a', 'b', 'c'], topicFrom: 'record' })
const oneToOne = new Routes({ topics: /^orders\./g, topicFrom: 'kafka-topic' })

test('spreads topics over the Kafka topics, each to always the same one', () => {
  const all = Array.from({ length: 100 }, (_, i) => records.kafkaTopicOf(`topic-${i}`))
  expect(new Set(all)).toEqual(new Set(['a', 'b', 'c']))
  expect(Array.from({ length: 100 }, (_, i) => records.kafkaTopicOf(`topic-${i}`))).toEqual(all)
})

test('keeps what replicas tell each other from the data, but not messages to single clients', () => {
  for (const routes of [records, oneToOne])
    expect(routes.kafkaTopicOf('asbru.control.n')).toBe('asbru-control')
  expect(['a', 'b', 'c']).toContain(records.kafkaTopicOf('asbru.direct'))
  expect(oneToOne.kafkaTopicOf('asbru.direct')).toBe('asbru-direct')
  expect([records.reads('asbru-direct'), oneToOne.reads('asbru-direct')]).toEqual([false, true])
})

test('reads what its regular expression matches, each time, and nothing of Kafka itself', () => {
  const names = ['orders.1', 'orders.2', 'other', 'asbru-control']
  expect(names.map((name) => oneToOne.reads(name))).toEqual([true, true, false, true])
  const all = new Routes({ topics: /.*/, topicFrom: 'kafka-topic' })
  expect(all.reads('__consumer_offsets')).toBe(false)
})

test.each([
  ['a regular expression without topicFrom', { topics: /x/ }, "topicFrom: 'kafka-topic'"],
  ['no topics', { topics: [] }, 'at least one Kafka topic'],
])('refuses %s', (_, options, reason) => {
  expect(() => kafkaDriver(options)).toThrow(reason)
})
