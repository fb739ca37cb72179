import { globSync } from 'node:fs'
import { join } from 'node:path'
import { debianRoot } from '../../brokers/src/recipes/debian-root.ts'
import { findProgram } from '../../brokers/src/run.ts'

/** An installed server, or Debian's, which is unpacked once; the latter with its own libraries. */
export async function debianProgram(name: string): Promise<[string, ...string[]]> {
  const installed = findProgram(name)
  if (installed !== undefined) return [installed]
  const root = await debianRoot('bookworm', name)
  const [loader] = globSync(join(root, 'usr/lib/*-linux-*/ld-linux-*.so.*'))
  const libraries = globSync(join(root, 'usr/lib/*-linux-*')).join(':')
  if (loader === undefined) throw new Error(`found no loader in ${root}`)
  return [loader, '--library-path', libraries, join(root, 'usr/sbin', name)]
}
