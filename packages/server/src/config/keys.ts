import { configJsonSchema, type KeyMeta } from './schema.ts'

/** One key of the configuration that holds a value, as flags, variables and masks need it. */
export interface ConfigKey {
  /** As in YAML, with dots: `cors.origins`. */
  readonly path: string
  readonly type: 'number' | 'boolean' | 'text' | 'list'
  /** The words that it may hold, if they are few. */
  readonly choices: readonly string[]
  readonly description: string
  /** What is said of its default: nothing for a key without one. */
  readonly defaultText: string | undefined
  /** Never shown. */
  readonly secret: boolean
}

/** All keys that hold a value, in the order of the schema. */
export const configKeys: readonly ConfigKey[] = keysOf(configJsonSchema() as Node, '')

/** Keys for which a word may stand in place of their mapping, and the key of it that the word then is. */
export const wordKeys: ReadonlyMap<string, string> = new Map(
  Object.entries((configJsonSchema() as Node).properties ?? {}).flatMap(([path, { word }]) =>
    word === undefined ? [] : [[path, word]],
  ),
)

/** The variable that sets a key: `driver.jetstream.stream` is `ASBRU_DRIVER__JETSTREAM__STREAM`. */
export function variableOf(path: string): string {
  const words = path.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).replaceAll('.', '__')
  return `ASBRU_${words.toUpperCase()}`
}

/** The flag that sets a key: `driver.jetstream.stream` is `--driver.jetstream.stream`. */
export function flagOf(path: string): string {
  return `--${path.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

/** The part of a JSON Schema that the configuration uses. */
interface Node extends KeyMeta {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly enum?: readonly string[]
  readonly const?: unknown
  readonly properties?: Readonly<Record<string, Node>>
  readonly anyOf?: readonly Node[]
  readonly oneOf?: readonly Node[]
}

function keysOf(node: Node, path: string): ConfigKey[] {
  const variants = node.anyOf ?? node.oneOf ?? [node]
  const found = new Map<string, ConfigKey>()
  const value = variants.find(({ type }) => type !== 'object')
  if (value !== undefined || node.word !== undefined) {
    const text = { type: 'string', default: undefined }
    found.set(path, keyOf({ ...(value ?? text), ...node }, path))
  }
  for (const { properties = {} } of variants) {
    for (const [name, child] of Object.entries(properties)) {
      for (const key of keysOf(child, path === '' ? name : `${path}.${name}`)) {
        // Several drivers may have the same key: their words add up.
        const choices = [...(found.get(key.path)?.choices ?? []), ...key.choices]
        found.set(key.path, { ...key, choices: [...new Set(choices)] })
      }
    }
  }
  return [...found.values()]
}

function keyOf(node: Node, path: string): ConfigKey {
  const choices = node.enum ?? (typeof node.const === 'string' ? [node.const] : [])
  return {
    path,
    type: typeOf(node),
    choices,
    description: node.description ?? '',
    defaultText: node.defaultText ?? defaultTextOf(node),
    secret: node.secret ?? false,
  }
}

function typeOf({ type }: Node): ConfigKey['type'] {
  if (type === 'integer' || type === 'number') return 'number'
  if (type === 'boolean') return 'boolean'
  return type === 'array' ? 'list' : 'text'
}

function defaultTextOf({ default: value, word }: Node): string | undefined {
  if (value === undefined) return undefined
  const shown = word === undefined ? value : (value as Record<string, unknown>)[word]
  if (Array.isArray(shown) && shown.length === 0) return 'none'
  return typeof shown === 'string' ? shown : JSON.stringify(shown)
}
