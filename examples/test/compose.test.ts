import { brokerNames } from '@asbru/brokers'
import { globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { composeFaults } from '../../brokers/test/support/compose-faults.ts'
import { configKeys } from '../../packages/server/src/config/keys.ts'
import { loadConfig } from '../../packages/server/src/index.ts'
import { stagesOf } from '../../scripts/test/support/dockerfile.ts'
import { commandsOf, composeFile, examples, servicesOf } from './compose-example.ts'

const root = composeFile('../docker-compose.yml').services
const [publisher] = stagesOf(readFileSync(join(examples, 'compose/publisher.Dockerfile'), 'utf8'))
const drivers = configKeys.find(({ path }) => path === 'driver.name')!.choices

test('there is an example for every broker', () => {
  const dirs = globSync('*-compose', { cwd: examples })
  expect(dirs.toSorted()).toEqual(brokerNames.map((name) => `${name}-compose`).toSorted())
})

test('what the examples share is valid by the schema of the Compose specification', () => {
  expect(composeFaults(composeFile('compose/services.yml'))).toBeNull()
})

test('the image of a publisher has its manifest and its source, and runs as no root', () => {
  expect(publisher!.all('COPY')).toEqual(['package.json ./', 'src src'])
  expect(publisher!.list('CMD')).toEqual(['node', 'src/publish.ts'])
  expect(publisher!.one('USER')).toMatch(/^[1-9]\d*:[1-9]\d*$/)
  const [, relay] = stagesOf(readFileSync(join(examples, '../Dockerfile'), 'utf8'))
  expect(publisher!.from).toBe(relay!.from)
})

describe.each(brokerNames)('%s-compose', (broker) => {
  const file = `${broker}-compose/docker-compose.yml`
  const services = servicesOf(broker)
  const relays = [services['relay-1']!, services['relay-2']!]

  test('is valid by the schema of the Compose specification, as a project of its own', () => {
    expect(composeFaults(composeFile(file))).toBeNull()
    expect(composeFile(file)).toMatchObject({ name: `asbru-${broker}` })
  })

  test('has the broker of the repository, two relays, a load balancer and a publisher', () => {
    const names = [broker, 'relay-1', 'relay-2', 'load-balancer', 'publisher']
    expect(Object.keys(services)).toEqual(names)
    const { image, healthcheck } = services[broker]!
    expect(image).toBe(root[broker]!.image)
    expect(healthcheck).toHaveProperty('test')
  })

  test('pins its images, fixes no name, and is reached through the load balancer only', () => {
    const pulled = Object.values(services).filter(({ build }) => build === undefined)
    for (const { image } of pulled) expect(image).toMatch(/:\d+\.\d+/)
    for (const [name, { ports = [], container_name }] of Object.entries(services)) {
      expect(container_name).toBeUndefined()
      expect(ports.length).toBe(name === 'load-balancer' ? 1 : 0)
      for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\$\{ASBRU_PORT:-\d+\}:8080$/)
    }
  })

  test('runs the image of the repository twice, with nothing to write to', () => {
    for (const relay of relays) {
      expect(resolve((relay.build as { context: string }).context)).toBe(resolve(examples, '..'))
      expect(relay).toMatchObject({ image: 'asbru', read_only: true, cap_drop: ['ALL'] })
      expect(relay).not.toHaveProperty('command')
      expect(relay.depends_on).toEqual({ [broker]: { condition: 'service_healthy' } })
    }
    expect(relays[0]).toEqual(relays[1])
  })

  test('starts load balancer and publisher when the relays are healthy', () => {
    const healthy = { condition: 'service_healthy' }
    for (const name of ['load-balancer', 'publisher']) {
      expect(services[name]!.depends_on).toEqual({ 'relay-1': healthy, 'relay-2': healthy })
    }
  })

  test('has a publisher that depends on the client of its broker, and nothing of Asbru', () => {
    const { context, dockerfile = '' } = services['publisher']!.build as {
      context: string
      dockerfile?: string
    }
    expect(resolve(context, dockerfile)).toBe(resolve(examples, 'compose/publisher.Dockerfile'))
    const { dependencies } = JSON.parse(readFileSync(join(context, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>
    }
    expect(Object.values(dependencies)).toEqual([expect.stringMatching(/^\d+\.\d+\.\d+$/)])
    expect(readFileSync(join(context, 'src/publish.ts'), 'utf8')).not.toContain("'@asbru/")
  })

  test('tells how to start it, watch it, kill a relay and end it', () => {
    expect(commandsOf(broker, 'curl')).not.toEqual([])
    expect(commandsOf(broker, 'docker compose').map((line) => line.split(' ')[2])).toEqual(
      expect.arrayContaining(['up', 'exec', 'kill', 'down']),
    )
    for (const line of commandsOf(broker, 'docker compose')) {
      const named = line.split(/\s+/).filter((word) => /^(relay|load|publisher)/.test(word))
      for (const name of named) expect(Object.keys(services)).toContain(name)
    }
  })
})

// A driver that is not registered cannot be named by any configuration.
test.each(brokerNames.filter((name) => drivers.includes(name)))(
  'the relays of %s-compose have a configuration that is accepted as a whole',
  (broker) => {
    const { environment = {} } = servicesOf(broker)['relay-1']!
    const { config, warnings } = loadConfig({ flags: new Map(), env: environment })
    expect(warnings).toEqual([])
    expect(config.driver.name).toBe(broker)
    expect(config.anonymous).toEqual({ topics: ['orders.**'] })
    const wrong = { ...environment, ASBRU_DRIVER__URL: '', ASBRU_DRIVER: 'no-such' }
    expect(() => loadConfig({ flags: new Map(), env: wrong })).toThrow('driver')
  },
)
