import { expect, test } from 'vitest'
import { channelsOf } from '../src/channels.ts'

test.each([
  ['pets.dogs', ['subscribe pets.dogs']],
  ['pets.*', ['psubscribe pets.*']],
  ['*', ['psubscribe *']],
  ['**', ['psubscribe *']],
  ['*.**', ['psubscribe *']],
  ['pets.**', ['subscribe pets', 'psubscribe pets.*']],
  ['pets.*.**', ['psubscribe pets.*']],
  ['*.pets.**', ['psubscribe *.pets', 'psubscribe *.pets.*']],
  ['a[b]?\\c.*', [String.raw`psubscribe a\[b\]\?\\c.*`]],
  ['a[b]?', ['subscribe a[b]?']],
])('asks Redis for %s', (topic, channels) => {
  expect(channelsOf(topic, '').map(({ kind, name }) => `${kind} ${name}`)).toEqual(channels)
})

test('puts the prefix before every channel, and takes its characters for themselves', () => {
  expect(channelsOf('pets.**', 'app[1]*:')).toEqual([
    { kind: 'subscribe', name: 'app[1]*:pets' },
    { kind: 'psubscribe', name: String.raw`app\[1\]\*:pets.*` },
  ])
})
