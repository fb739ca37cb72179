import { ConfigError } from './config-error.ts'
import { environmentLayer } from './environment.ts'
import { fileLayer } from './file.ts'
import { flagOf } from './keys.ts'
import { type Layer, layerOfTexts, layerWith, merge, type Tree } from './layers.ts'
import { checkConfig, type Config } from './schema.ts'

/** Where configuration comes from. */
export interface ConfigSources {
  /** Values of flags, each under its key's path; `true` for a flag without a value. */
  readonly flags: ReadonlyMap<string, string | readonly string[] | true>
  readonly env: NodeJS.ProcessEnv
  /** A YAML file. @default the one that `ASBRU_CONFIG` names, if it does */
  readonly file?: string | undefined
}

/** The configuration in effect, and what was odd about its sources. */
export interface LoadedConfig {
  readonly config: Config
  readonly warnings: readonly string[]
}

/**
 * Flag over environment over YAML over default.
 * @throws {ConfigError} with a line for each fault: the key's path, what is wrong, where it was set
 */
export function loadConfig({ flags, env, file }: ConfigSources): LoadedConfig {
  const path = file ?? (env['ASBRU_CONFIG'] || undefined)
  const environment = environmentLayer(env)
  const layers = [
    ...(path === undefined ? [] : [fileLayer(path)]),
    environment.layer,
    layerOfTexts(flags, flagOf),
  ]
  const values = layers.reduce<Tree>((under, { values: over }) => merge(under, over), {})
  const checked = checkConfig(values)
  if ('faults' in checked) {
    const lines = checked.faults.map((fault) => lineOf(fault, layers))
    throw new ConfigError(lines.join('\n'))
  }
  const warnings = environment.unknown.map((name) => `${name} in the environment sets no option`)
  return { config: checked.config, warnings }
}

function lineOf(
  fault: { path: readonly string[]; message: string },
  layers: readonly Layer[],
): string {
  const path = fault.path.join('.')
  const source = layerWith(layers, fault.path)?.sourceOf(path)
  return `${path}: ${fault.message}${source === undefined ? '' : ` (${source})`}`
}
