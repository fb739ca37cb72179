import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { urlVariables } from '../../src/environment-brokers.ts'
import { findProgram } from '../../src/run.ts'
import { scratch } from '../../src/scratch.ts'

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

/** A machine for `pnpm brokers`: a folder and programs of its own; the installed brokers are shared. */
export class Machine {
  readonly dir: string = mkdtempSync(join(tmpdir(), 'asbru-brokers-'))
  readonly #bin = join(this.dir, 'bin')
  #path = `${this.#bin}${delimiter}${process.env['PATH']}`

  constructor() {
    mkdirSync(this.#bin)
    mkdirSync(scratch('programs'), { recursive: true })
    symlinkSync(scratch('programs'), join(this.dir, 'programs'))
    this.program('docker', 'exit 1')
  }

  /** Puts a shell script on the PATH, before all others. */
  program(name: string, script: string): void {
    const file = join(this.#bin, name)
    writeFileSync(file, `#!/bin/sh\n${script}\n`)
    chmodSync(file, 0o755)
  }

  /** From now on the machine has no programs but these. */
  hasOnly(...names: readonly string[]): void {
    for (const name of names) symlinkSync(findProgram(name)!, join(this.#bin, name))
    this.#path = this.#bin
  }

  /** Runs `pnpm brokers …` to its end. */
  async brokers(
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<{ code: number | null; lines: unknown[]; stdout: string; stderr: string }> {
    const unset = Object.fromEntries(Object.values(urlVariables).map((name) => [name, '']))
    const child = spawn(process.execPath, ['--conditions=@asbru/source', main, ...args], {
      env: { ...process.env, ...unset, PATH: this.#path, ASBRU_BROKERS_DIR: this.dir, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (text) => (stdout += text))
    child.stderr.on('data', (text) => (stderr += text))
    const [code] = (await once(child, 'close')) as [number | null]
    const json = stdout.split('\n').filter((line) => line.startsWith('{'))
    return { code, lines: json.map((line) => JSON.parse(line) as unknown), stdout, stderr }
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true })
  }
}
