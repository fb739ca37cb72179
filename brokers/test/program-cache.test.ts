import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const script = fileURLToPath(new URL('support/install-and-tell.ts', import.meta.url))

describe('a program that several processes want at the same time', () => {
  let dir: string
  let children: ChildProcess[]

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'asbru-programs-'))
    children = []
  })

  afterEach(() => {
    for (const child of children) child.kill('SIGKILL')
    rmSync(dir, { recursive: true })
  })

  /** Starts a process that wants the program. */
  function start(): { child: ChildProcess; said: () => string; end: Promise<unknown> } {
    const child = spawn(process.execPath, [script, join(dir, 'go')], {
      env: { ...process.env, ASBRU_BROKERS_DIR: dir },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    children.push(child)
    let text = ''
    child.stdout.on('data', (bytes) => (text += bytes))
    return { child, said: () => text, end: once(child, 'close') }
  }

  it('is installed once, and all wait until it is whole', async () => {
    const all = [start(), start(), start()]
    await Promise.race(all.map(({ child }) => once(child.stdout!, 'data')))
    writeFileSync(join(dir, 'go'), '')
    await Promise.all(all.map(({ end }) => end))
    for (const { said } of all) expect(said()).toContain(`${join(dir, 'programs/probe')} true\n`)
    expect(readFileSync(join(dir, 'go.installs'), 'utf8')).toBe('x')
  })

  it('is installed by another when the first one dies at it', async () => {
    const first = start()
    await once(first.child.stdout!, 'data')
    const second = start()
    first.child.kill('SIGKILL')
    await once(second.child.stdout!, 'data')
    expect(second.said()).toBe('installing\n')
    writeFileSync(join(dir, 'go'), '')
    await second.end
    expect(second.said()).toContain(`${join(dir, 'programs/probe')} true\n`)
  })
})
