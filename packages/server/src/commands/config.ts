import type { LoadedConfig } from '../config/load-config.ts'
import { maskedYaml } from '../config/mask.ts'

/** `asbru config`: prints the configuration in effect, without its secrets. */
export function printConfig({ config, warnings }: LoadedConfig): void {
  for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`)
  process.stdout.write(maskedYaml(config))
}
