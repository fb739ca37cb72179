import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { arch, cpus, release, type as system } from 'node:os'
import { canPin } from './pinning.ts'

/** What the figures depend on, in one line. */
export function machineLine(): string {
  const [cpu] = cpus()
  return [
    `${cpu?.model.trim() ?? 'unknown processor'}, ${cpus().length} cores`,
    `${system()} ${release()} ${arch()}`,
    `Node ${process.versions.node}`,
    `better-sse ${versionOf('better-sse')}`,
    `asbru ${commit()}`,
  ].join(' | ')
}

/** How it was measured, in one line. */
export function methodLine(connections: number, rounds: number, sink: string): string {
  const cores = canPin
    ? 'each server on core 0, the sink on core 1'
    : 'processes not tied to cores (no taskset, or one core): trust the ratios less'
  return `${connections} connections, 64-byte payload, ${rounds} rounds in turn, ${cores}, ${sink} sink`
}

function versionOf(dependency: string): string {
  const path = new URL(`../node_modules/${dependency}/package.json`, import.meta.url)
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version
}

function commit(): string {
  try {
    const changed = git('status', '--porcelain', '--untracked-files=no', '../../packages') !== ''
    return git('rev-parse', '--short', 'HEAD') + (changed ? ' and changes' : '')
  } catch {
    return 'of unknown commit'
  }
}

function git(...args: string[]): string {
  return execFileSync('git', args, {
    cwd: import.meta.dirname,
    encoding: 'utf8',
    stdio: 'pipe',
  }).trim()
}
