import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { ConfigError } from '../src/config/config-error.ts'
import { type ConfigKey, configKeys, flagOf, variableOf } from '../src/config/keys.ts'
import { loadConfig } from '../src/config/load-config.ts'
import { maskedYaml } from '../src/config/mask.ts'
import type { Config } from '../src/config/schema.ts'
import { temporaryFile } from './support/temporary-file.ts'

interface Sources {
  flags?: Record<string, string | string[] | true>
  env?: Record<string, string>
  yaml?: string
}

function load({ flags = {}, env = {}, yaml }: Sources): ReturnType<typeof loadConfig> {
  const file = yaml === undefined ? undefined : temporaryFile('asbru.yaml', yaml)
  return loadConfig({ flags: new Map(Object.entries(flags)), env, file })
}

function faultOf(sources: Sources): string {
  try {
    load(sources)
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  throw new Error('It was accepted.')
}

function valueAt(config: Config, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((node, key) => (node as Record<string, unknown>)[key], config)
}

describe('precedence', () => {
  /** Without those that take one value only, or only with others. */
  const keys = configKeys.filter(({ path }) => !/^(driver|store|anonymous$|workers$)/.test(path))

  test('a flag goes before a variable, that before YAML, and that before the default, for every key', () => {
    const anyKey = fc.constantFrom(...keys)
    const numbers = fc.record({ yaml: fc.nat(500), env: fc.nat(500), flag: fc.nat(500) })
    const given = fc.record({ yaml: fc.boolean(), env: fc.boolean(), flag: fc.boolean() })
    const defaults = load({}).config
    fc.assert(
      fc.property(anyKey, numbers, given, (key, number, has) => {
        const { config } = load({
          ...(has.yaml && { yaml: stringify(nested(key.path, valueOf(key, number.yaml))) }),
          ...(has.env && { env: { [variableOf(key.path)]: String(valueOf(key, number.env)) } }),
          ...(has.flag && { flags: { [key.path]: String(valueOf(key, number.flag)) } }),
        })
        const from = (['flag', 'env', 'yaml'] as const).find((source) => has[source])
        const expected =
          from === undefined ? valueAt(defaults, key.path) : valueOf(key, number[from])
        expect(valueAt(config, key.path)).toEqual(expected)
      }),
      { numRuns: 300 },
    )
  })

  test('every key has a flag and a variable of its own, and a description', () => {
    expect(new Set(keys.map(({ path }) => flagOf(path))).size).toBe(keys.length)
    expect(new Set(keys.map(({ path }) => variableOf(path))).size).toBe(keys.length)
    expect(configKeys.filter(({ description }) => description === '')).toEqual([])
    expect(flagOf('driver.jetstream.stream')).toBe('--driver.jetstream.stream')
    expect(variableOf('driver.jetstream.stream')).toBe('ASBRU_DRIVER__JETSTREAM__STREAM')
    expect(variableOf('internalPort')).toBe('ASBRU_INTERNAL_PORT')
  })

  test('mappings of several sources are merged key by key', () => {
    const { config } = load({
      yaml: 'cors: { origins: [https://a.example], credentials: false }',
      env: { ASBRU_CORS__CREDENTIALS: 'true' },
    })
    expect(config.cors).toEqual({ origins: ['https://a.example'], credentials: true })
  })

  test('an empty variable counts as not set', () => {
    expect(load({ env: { ASBRU_PORT: '' } }).config.port).toBe(8080)
  })
})

describe('shapes', () => {
  test.each([
    ['a YAML list', { yaml: 'defaultTopics: [a, b]' }],
    ['one YAML value with commas', { yaml: 'defaultTopics: a, b' }],
    ['a variable with commas', { env: { ASBRU_DEFAULT_TOPICS: 'a,b' } }],
    ['one flag with commas', { flags: { defaultTopics: ['a,b'] } }],
    ['a flag given twice', { flags: { defaultTopics: ['a', 'b'] } }],
  ])('a list is %s', (_, sources) => {
    expect(load(sources).config.defaultTopics).toEqual(['a', 'b'])
  })

  test.each([
    ['a word in YAML', { yaml: 'driver: memory' }],
    ['a mapping in YAML', { yaml: 'driver: { name: memory }' }],
    ['a word in a variable', { env: { ASBRU_DRIVER: 'memory' } }],
    ['a nested variable', { env: { ASBRU_DRIVER__NAME: 'memory' } }],
    ['a word in a flag', { flags: { driver: 'memory' } }],
    ['a nested flag', { flags: { 'driver.name': 'memory' } }],
  ])('the driver is %s', (_, sources) => {
    expect(load(sources).config.driver).toEqual({ name: 'memory' })
  })

  test('naming another driver leaves the keys of the first behind', () => {
    const yaml = 'driver: { name: nats, url: "nats://127.0.0.1:4222" }'
    expect(load({ yaml, flags: { driver: 'memory' } }).config.driver).toEqual({ name: 'memory' })
  })

  test('a store is a word or a mapping, and none if nothing is said', () => {
    expect(load({}).config.store).toBeUndefined()
    expect(load({ env: { ASBRU_STORE: 'redis' } }).config.store).toEqual({ name: 'redis' })
    const flags = { store: 'redis', 'store.url': 'redis://127.0.0.1:6380', 'store.prefix': 'shop:' }
    expect(load({ flags }).config.store).toEqual({
      name: 'redis',
      url: 'redis://127.0.0.1:6380',
      prefix: 'shop:',
    })
  })

  test('anonymous clients are switched on by their topics, and off by a word', () => {
    const yaml = 'anonymous: { topics: [news] }'
    expect(load({ yaml }).config.anonymous).toEqual({ topics: ['news'] })
    expect(load({ yaml, flags: { anonymous: 'false' } }).config.anonymous).toBe(false)
  })

  test('an empty file sets nothing', () => {
    expect(load({ yaml: '# nothing yet\n' }).config).toEqual(load({}).config)
  })
})

describe('faults', () => {
  test.each<[string, Sources, string]>([
    ['an unknown key', { yaml: 'prot: 1' }, 'prot: there is no such key'],
    [
      'an unknown nested key',
      { yaml: 'cors: { origin: [] }' },
      'cors.origin: there is no such key',
    ],
    [
      'a key of no driver',
      { yaml: 'driver: { name: memory, url: x }' },
      'driver.url: there is no such key',
    ],
    [
      'an unknown driver',
      { env: { ASBRU_DRIVER: 'x' } },
      'driver.name: expected one of: memory, kafka, nats, rabbitmq, redis, gcp-pubsub, kubernetes (ASBRU_DRIVER__NAME)',
    ],
    ['an unknown store', { flags: { store: 'x' } }, 'store.name: expected one of: redis'],
    [
      'a key of no store',
      { yaml: 'store: { name: redis, key: x }' },
      'store.key: there is no such key',
    ],
    ['a driver without a name', { yaml: 'driver: {}' }, 'driver.name: expected one of: memory'],
    [
      'a text for a number in YAML',
      { yaml: 'port: "1"' },
      'port: expected number, received string',
    ],
    [
      'a text for a number in a flag',
      { flags: { port: 'abc' } },
      'port: expected number, received string (--port)',
    ],
    ['a port that is none', { env: { ASBRU_INTERNAL_PORT: '65536' } }, 'internalPort: Too big'],
    [
      'a text for a boolean',
      { flags: { 'cors.credentials': 'yes' } },
      'cors.credentials: expected boolean',
    ],
    [
      'a word that is no choice',
      { flags: { binary: 'hex' } },
      'binary: Invalid option: expected one of "refuse"|"base64"',
    ],
    [
      'a topic that is none',
      { env: { ASBRU_DEFAULT_TOPICS: 'a,b..c' } },
      'defaultTopics.1: The topic or pattern "b..c" has an empty segment',
    ],
    [
      'an origin that is none',
      { flags: { 'cors.origins': ['a.example'] } },
      'cors.origins.0: is not an origin',
    ],
    [
      'any origin with credentials',
      { flags: { 'cors.origins': ['*'], 'cors.credentials': true } },
      'cors.origins: has * while cors.credentials is on',
    ],
    [
      'no token beyond loopback',
      { flags: { internalHost: '0.0.0.0' } },
      'apiToken: is needed, since internalHost is not loopback',
    ],
    [
      'a payload over the queue',
      { flags: { maxPayloadBytes: '2000', maxQueueBytes: '1000' } },
      'maxPayloadBytes: is more than maxQueueBytes',
    ],
    ['a time that no timer waits', { flags: { drainMs: '9999999999' } }, 'drainMs: Too big'],
    [
      'anonymous clients without topics',
      { yaml: 'anonymous: true' },
      'anonymous: is neither false nor a mapping',
    ],
  ])('%s is told with its path', (_, sources, message) => {
    expect(faultOf(sources)).toContain(message)
  })

  test.each([
    ['memory', {}, 'workers: is more than 1, but the driver memory reaches one process only'],
    [
      'kubernetes',
      { 'driver.dns': 'relays' },
      'workers: is more than 1, but the driver kubernetes posts to the port',
    ],
  ])('several workers cannot share clients by the driver %s', (driver, more, message) => {
    expect(faultOf({ flags: { workers: '2', driver, ...more } })).toContain(message)
    expect(load({ flags: { workers: '1', driver, ...more } }).config.workers).toBe(1)
  })

  test.each(['10.0.0.1', '10.0.0.1:0', '10.0.0.1:70700', 'a b:1', 'a:1,', 'http://a:1'])(
    'relays are no peers at %s',
    (peers) => {
      expect(faultOf({ flags: { driver: 'kubernetes', 'driver.peers': peers } })).toBe(
        'driver.peers: expected host:port (--driver.peers)',
      )
    },
  )

  test.each(['a b', 'a:0', 'a:b', '[::1]:70700', ''])('a relay is not reached at %j', (address) => {
    const flags = { driver: 'kubernetes', 'driver.dns': 'relays', 'driver.address': address }
    expect(faultOf({ flags })).toContain('driver.address: is neither an IP address')
  })

  test.each(['10.0.0.1', '::1', 'relay-0.relays', 'relay-0.relays:7070', '[::1]:7070'])(
    'a relay is reached at %s',
    (address) => {
      const flags = { driver: 'kubernetes', 'driver.dns': 'relays', 'driver.address': address }
      expect(load({ flags }).config.driver['address']).toBe(address)
    },
  )

  test('the name of several workers leaves room for their number', () => {
    const flags = { driver: 'nats', name: 'x'.repeat(61) }
    expect(faultOf({ flags: { ...flags, workers: '2' } })).toContain('name: is longer than 60')
    expect(load({ flags }).config.name).toHaveLength(61)
  })

  test('all faults are told at once, each with the place where it was set', () => {
    const lines = faultOf({ yaml: 'retryMs: soon', flags: { port: 'x' } }).split('\n')
    expect(lines).toHaveLength(2)
    expect(lines[0]).toBe('port: expected number, received string (--port)')
    expect(lines[1]).toMatch(/^retryMs: expected number, received string \(.*asbru\.yaml\)$/)
  })

  test.each([
    ['is not YAML', 'port: [1', /asbru\.yaml: .*line 1/s],
    ['has a key twice', 'port: 1\nport: 2', /asbru\.yaml: Map keys must be unique at line 2/],
    ['is a list', '- port', /asbru\.yaml: the file does not hold a mapping of keys/],
    ['has an alias to nothing', 'port: *x', /asbru\.yaml: .*alias/],
  ])('a file that %s is told with its name', (_, yaml, message) => {
    expect(faultOf({ yaml })).toMatch(message)
  })

  test('a fault of the file shows nothing of what is in it', () => {
    const fault = faultOf({ yaml: 'apiToken: hunter2: x' })
    expect(fault).toMatch(/asbru\.yaml: .* at line 1, column \d+$/)
    expect(fault).not.toContain('hunter2')
  })

  test('a key that a mapping inherits is unknown like any other', () => {
    expect(faultOf({ yaml: 'constructor: 1' })).toContain('constructor: there is no such key')
    expect(faultOf({ yaml: '__proto__: { port: 1 }' })).toContain('there is no such key')
  })
})

describe('environment', () => {
  test('an unknown variable is a warning', () => {
    const { warnings } = load({ env: { ASBRU_PROT: '1', OTHER: '1' } })
    expect(warnings).toEqual(['ASBRU_PROT in the environment sets no option'])
  })

  test('what Kubernetes injects for Services called asbru and asbru-internal is passed over', () => {
    const { config, warnings } = load({
      env: {
        ASBRU_PORT: 'tcp://10.0.0.1:80',
        ASBRU_SERVICE_HOST: '10.0.0.1',
        ASBRU_SERVICE_PORT: '80',
        ASBRU_SERVICE_PORT_HTTP: '80',
        ASBRU_PORT_80_TCP: 'tcp://10.0.0.1:80',
        ASBRU_PORT_80_TCP_ADDR: '10.0.0.1',
        ASBRU_PORT_80_TCP_PORT: '80',
        ASBRU_PORT_80_TCP_PROTO: 'tcp',
        ASBRU_INTERNAL_PORT: 'tcp://10.0.0.2:7070',
        ASBRU_INTERNAL_SERVICE_HOST: '10.0.0.2',
      },
    })
    expect(warnings).toEqual([])
    expect(config).toEqual(load({}).config)
  })
})

describe('masks', () => {
  test('secrets and credentials in URLs are not shown', () => {
    const { config } = load({ flags: { apiToken: 'hunter2', controlSecret: 'hunter2' } })
    const shown = maskedYaml({
      ...config,
      driver: {
        name: 'nats',
        url: ['nats://user:hunter2@127.0.0.1:4222', 'redis://:hunter2@b.example/0'],
        other: 'amqps://a.example/?password=hunter2&heartbeat=5,nats://hunter2@c.example',
      },
    })
    expect(shown).not.toContain('hunter2')
    expect(shown).toContain('127.0.0.1:4222')
    expect(shown).toContain('b.example/0')
    expect(shown).toContain('heartbeat=5')
  })
})

function valueOf({ path, type, choices }: ConfigKey, number: number): unknown {
  if (choices.length > 0) return choices[number % choices.length]
  if (type === 'number') return number + 100
  if (type === 'boolean') return number % 2 === 0
  if (path === 'cors.origins') return [`https://a${number}.example`, 'https://b.example']
  if (type === 'list') return [`topic${number}`, 'pets.**']
  return /host$/i.test(path) ? `127.0.0.${number % 256}` : `word${number}`
}

function nested(path: string, value: unknown): unknown {
  return path.split('.').reduceRight((inner, key) => ({ [key]: inner }), value)
}
