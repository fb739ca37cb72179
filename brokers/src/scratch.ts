import { homedir } from 'node:os'
import { join } from 'node:path'

/** The folder for everything that brokers need and leave: `ASBRU_BROKERS_DIR`, else in the user's cache. */
export function scratch(...path: string[]): string {
  const caches = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache')
  return join(process.env['ASBRU_BROKERS_DIR'] || join(caches, 'asbru', 'brokers'), ...path)
}
