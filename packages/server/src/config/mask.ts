import { stringify } from 'yaml'
import { configKeys } from './keys.ts'
import type { Config } from './schema.ts'

const MASK = '********'

/** The configuration as YAML that may be shown: no secret, and no user or password in a URL. */
export function maskedYaml(config: Config): string {
  return stringify(masked(config, ''))
}

const secrets: ReadonlySet<string> = new Set(
  configKeys.filter(({ secret }) => secret).map(({ path }) => path),
)

function masked(value: unknown, path: string): unknown {
  if (secrets.has(path)) return MASK
  if (typeof value === 'string') return withoutCredentials(value)
  if (Array.isArray(value)) return value.map((item) => masked(item, path))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, inner]): [string, unknown] => [
    key,
    masked(inner, path === '' ? key : `${path}.${key}`),
  ])
  return Object.fromEntries(entries)
}

/** Also of several URLs in one text, and of a query's password, as some brokers take it. */
function withoutCredentials(text: string): string {
  return text
    .replaceAll(/([a-z][a-z0-9+.-]*:\/\/)[^/?#,\s]*@/gi, `$1${MASK}@`)
    .replaceAll(/([?&][^=&#]*(?:password|token|secret)[^=&#]*=)[^&#,\s]*/gi, `$1${MASK}`)
}
