import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { brokerNames } from '@asbru/brokers'
import { composeFaults } from './support/compose-faults.ts'

interface Service {
  readonly image: string
  readonly profiles: readonly string[]
  readonly ports: readonly string[]
  readonly healthcheck?: object
}

const text = readFileSync(new URL('../../docker-compose.yml', import.meta.url), 'utf8')
const compose = parse(text, { merge: true }) as {
  name: string
  services: Record<string, Service>
}

describe('docker-compose.yml', () => {
  it('is valid by the schema of the Compose specification', () => {
    expect(composeFaults(compose)).toBeNull()
    expect(composeFaults({ services: { redis: { imagge: 'redis' } } })).not.toBeNull()
  })

  it('is one project, whatever the folder is called', () => {
    expect(compose.name).toBe('asbru')
  })

  it('has a service for every broker, and no other', () => {
    expect(Object.keys(compose.services).toSorted()).toEqual([...brokerNames].toSorted())
  })

  it.each(Object.entries(compose.services))(
    'starts %s alone or with all, pinned, with a health check, for this machine only',
    (name, { image, profiles, ports, healthcheck }) => {
      expect(profiles).toEqual([name, 'all'])
      expect(image).toMatch(/:\d+\.\d+/)
      expect(healthcheck).toHaveProperty('test')
      for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\$\{ASBRU_\w+_PORT:-\d+\}:\d+$/)
    },
  )
})
