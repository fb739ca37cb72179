import { globSync } from 'node:fs'
import { basename } from 'node:path'
import { brokerNames } from '@asbru/brokers'
import { expect, test } from 'vitest'
import { choiceLine, chosenGroups, clusterLine, testGroups } from '../test-groups.mjs'

test.each([undefined, '', 'all', 'nats,all'])('%j chooses all groups', (text) => {
  expect(chosenGroups(text)).toEqual(testGroups)
})

test('names choose groups, and `none` no group', () => {
  expect(chosenGroups('redis, nats')).toEqual(['nats', 'redis'])
  expect(chosenGroups('none')).toEqual([])
})

test('a name that is no group is an error, so that nothing is left out by mistake', () => {
  expect(() => chosenGroups('nats,reddis')).toThrow("'reddis' is none of nats")
  expect(() => chosenGroups('nats,none')).toThrow("'none' is none of nats")
})

test('what is left out is said', () => {
  expect(choiceLine(testGroups)).toBe(`Tested against real brokers: ${testGroups.join(', ')}.`)
  expect(choiceLine([])).toContain(`none. Left out on purpose: ${testGroups.join(', ')}.`)
  expect(choiceLine(['nats'])).toMatch(/: nats\. Left out on purpose: redis, /)
  expect(clusterLine(undefined)).toContain('were not tested')
  expect(clusterLine('full')).toBe('Clusters of relays were tested: full.')
})

test('every broker, and every driver with tests against one, is in a group', () => {
  expect(testGroups).toEqual(expect.arrayContaining([...brokerNames]))
  const files = globSync('packages/*/test/**/*.broker.test.ts')
  const groups = files.map(
    (file) => /^packages\/driver-(.*?)\//.exec(file)?.[1] ?? basename(file, '.broker.test.ts'),
  )
  expect(testGroups).toEqual(expect.arrayContaining(groups))
})
