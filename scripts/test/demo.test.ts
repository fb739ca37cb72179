import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { descendants, stillRunning } from './support/processes.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const patient = { timeout: 25_000, interval: 50 }
const cleanUps: (() => void)[] = []

afterEach(() => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) cleanUp()
})

describe('npm run demo', () => {
  test('serves the URL that it prints', async () => {
    const demo = startDemo(root)
    const url = await printedUrl(demo)
    expect((await fetch(url)).status).toBe(200)
  })

  test('ends with all that it started on SIGTERM to npm', async () => {
    const demo = startDemo(root)
    await printedUrl(demo)
    await expectNothingLeft(demo, () => demo.npm.kill('SIGTERM'))
  })

  test('ends with all that it started on Ctrl-C, which reaches the whole process group', async () => {
    const demo = startDemo(root)
    await printedUrl(demo)
    await expectNothingLeft(demo, () => process.kill(-demo.pid, 'SIGINT'))
  })

  test('ends with all that it started on SIGTERM while it still installs', async () => {
    const demo = startDemo(freshCopy())
    await vi.waitFor(() => expect(descendants(demo.pid).length).toBeGreaterThan(1), patient)
    await expectNothingLeft(demo, () => demo.npm.kill('SIGTERM'))
    expect(demo.output()).not.toContain('http://')
  })
})

interface Demo {
  npm: ChildProcess
  pid: number
  output: () => string
}

/** Leads a process group of its own, as a command typed into a terminal does. */
function startDemo(cwd: string): Demo {
  const npm = spawn('npm', ['run', 'demo', '--', '--port', '0'], { cwd, detached: true })
  const { pid } = npm
  if (pid === undefined) throw new Error('npm did not start')
  let output = ''
  for (const stream of [npm.stdout, npm.stderr]) {
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  }
  cleanUps.push(() => {
    for (const left of stillRunning([pid, ...descendants(pid)])) process.kill(left, 'SIGKILL')
  })
  return { npm, pid, output: () => output }
}

function printedUrl({ npm, output }: Demo): Promise<string> {
  return new Promise((resolve, reject) => {
    npm.stdout?.on('data', () => {
      const url = /http:\/\/127\.0\.0\.1:\d+\S*/.exec(output())?.[0]
      if (url !== undefined) resolve(url)
    })
    npm.once('exit', () =>
      reject(new Error(`The demo ended before it printed a URL:\n${output()}`)),
    )
  })
}

async function expectNothingLeft(demo: Demo, sendSignal: () => void) {
  const family = descendants(demo.pid)
  expect(family).not.toEqual([])
  const ended = once(demo.npm, 'exit')
  sendSignal()
  await ended
  await vi.waitFor(() => expect(stillRunning(family)).toEqual([]), patient)
}

/** The workspace as a fresh clone has it: nothing installed, nothing built. */
function freshCopy(): string {
  const copy = mkdtempSync(`${tmpdir()}/asbru-demo-`)
  cleanUps.push(() => rmSync(copy, { recursive: true, force: true, maxRetries: 5 }))
  const generated = new Set(['node_modules', 'dist', '.git'])
  cpSync(root, copy, { recursive: true, filter: (path) => !generated.has(basename(path)) })
  return copy
}
