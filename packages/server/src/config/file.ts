import { readFileSync } from 'node:fs'
import { parseDocument } from 'yaml'
import { ConfigError } from './config-error.ts'
import { type Layer, normalize, type Tree } from './layers.ts'

/**
 * Reads a YAML file.
 * @throws {ConfigError} that names the file, and the line of the fault
 */
export function fileLayer(file: string): Layer {
  const document = parseDocument(read(file))
  const [error] = document.errors
  if (error !== undefined) {
    // Without the excerpt that follows: there may be a secret in it.
    const [reason] = error.message.split(/:?\n/, 1)
    throw new ConfigError(`${file}: ${reason}`)
  }
  const values: unknown = toValues(document, file) ?? {}
  if (typeof values !== 'object' || Array.isArray(values)) {
    throw new ConfigError(`${file}: the file does not hold a mapping of keys`)
  }
  return normalize({ values: values as Tree, sourceOf: () => file })
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new ConfigError(`${file}: cannot be read: ${(error as Error).message}`, { cause: error })
  }
}

function toValues(document: ReturnType<typeof parseDocument>, file: string): unknown {
  try {
    return document.toJS()
  } catch (error) {
    // An alias without an anchor, or far too many of them.
    throw new ConfigError(`${file}: ${(error as Error).message}`, { cause: error })
  }
}
