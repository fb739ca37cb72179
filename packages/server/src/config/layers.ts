import { configKeys, wordKeys } from './keys.ts'

/** Values of one source, as a tree with the shape of the YAML file. */
export interface Layer {
  /** Where the value of a key came from, as an error names it. */
  readonly sourceOf: (path: string) => string
  readonly values: Tree
}

/** A mapping of keys to values or further mappings. */
export type Tree = Readonly<Record<string, unknown>>

/** Makes a layer of texts: of flags or environment variables, each under its key's path. */
export function layerOfTexts(
  texts: ReadonlyMap<string, string | readonly string[] | true>,
  sourceOf: (path: string) => string,
): Layer {
  let values: Tree = {}
  for (const { path, type } of configKeys) {
    const text = texts.get(path)
    if (text === undefined) continue
    const value = typedValue(text, type)
    const branch = path.split('.').reduceRight<unknown>((inner, key) => ({ [key]: inner }), value)
    values = merge(values, normalize({ values: branch as Tree, sourceOf }).values)
  }
  return { values, sourceOf }
}

/** Writes words and lists of a layer as the mappings and lists that they are short for. */
export function normalize({ values, sourceOf }: Layer): Layer {
  return { values: normalized(values, '') as Tree, sourceOf }
}

/** Puts `over` on top of `under`: mappings are merged, all else is replaced. */
export function merge(under: Tree, over: Tree): Tree {
  const entries = Object.entries(over).map(([key, value]): [string, unknown] => {
    const below = Object.hasOwn(under, key) ? under[key] : undefined
    if (!isTree(value) || !isTree(below)) return [key, value]
    const word = wordKeys.get(key)
    // Another driver's keys mean nothing to this one.
    if (word !== undefined && replaced(below[word], value[word])) return [key, value]
    return [key, merge(below, value)]
  })
  return Object.fromEntries([...Object.entries(under), ...entries])
}

/** The layer that a key's value came from, if any has it: the last one wins. */
export function layerWith(layers: readonly Layer[], path: readonly string[]): Layer | undefined {
  return layers.findLast(({ values }) => {
    let node: unknown = values
    for (const key of path) {
      if (Array.isArray(node)) return true
      if (!isTree(node) || !Object.hasOwn(node, key)) return false
      node = node[key]
    }
    return true
  })
}

function replaced(before: unknown, after: unknown): boolean {
  return before !== undefined && after !== undefined && before !== after
}

function normalized(value: unknown, path: string): unknown {
  if (isTree(value)) {
    const entries = Object.entries(value).map(([key, inner]): [string, unknown] => [
      key,
      normalized(inner, path === '' ? key : `${path}.${key}`),
    ])
    return Object.fromEntries(entries)
  }
  if (typeof value !== 'string') return value
  const word = wordKeys.get(path)
  if (word !== undefined) return { [word]: value }
  return lists.has(path) ? split(value) : value
}

const lists: ReadonlySet<string> = new Set(
  configKeys.filter(({ type }) => type === 'list').map(({ path }) => path),
)

function typedValue(text: string | readonly string[] | true, type: string): unknown {
  if (text === true) return true
  if (typeof text !== 'string') return text.flatMap(split)
  // What does not read as the type stays text, and the check says what was expected.
  if (type === 'number') return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text
  if (type === 'boolean') return { true: true, false: false }[text] ?? text
  return text
}

function split(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
