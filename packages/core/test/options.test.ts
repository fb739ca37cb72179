import { expect, test } from 'vitest'
import { Streamer, type StreamerOptions } from '../src/index.ts'
import { loopbackDriver } from './support/loopback-driver.ts'

const refused: [keyof StreamerOptions, Partial<StreamerOptions>][] = [
  ['name', { name: '' }],
  ['name', { name: 'relay.1' }],
  ['beatMs', { beatMs: 9 }],
  ['overlapMs', { overlapMs: -1 }],
  ['changeTimeoutMs', { changeTimeoutMs: 0 }],
  ['controlSecret', { controlSecret: '' }],
]

test.each(refused)('refuses what %s cannot be: %o', (name, options) => {
  const make = (): Streamer => new Streamer({ driver: loopbackDriver(), ...options })
  expect(make).toThrow(`The option \`${name}\` is`)
})
