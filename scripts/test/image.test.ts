import dockerignore from '@balena/dockerignore'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { stagesOf, type Stage } from './support/dockerfile.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const runFile = promisify(execFile)
const stages = stagesOf(readFileSync(`${root}Dockerfile`, 'utf8'))
const [build, image] = stages as [Stage, Stage]

test('the image is built in two stages, from pinned versions of one Node.js', () => {
  expect(stages).toHaveLength(2)
  const { optionalDependencies } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as {
    optionalDependencies: { node: string }
  }
  for (const { from } of stages) expect(from).toMatch(`node:${optionalDependencies.node}-`)
})

test('the image runs asbru serve as a user that is not root, and stops it by SIGTERM', () => {
  expect(image.one('USER')).toMatch(/^[1-9]\d*:[1-9]\d*$/)
  expect(image.list('ENTRYPOINT')).toEqual(['asbru'])
  expect(image.list('CMD')).toEqual(['serve'])
  expect(image.one('STOPSIGNAL')).toBe('SIGTERM')
  expect(image.environment).toMatchObject({ ASBRU_HOST: '0.0.0.0', NODE_ENV: 'production' })
})

test('the image runs no command of its own, and takes only what the first stage made', () => {
  expect(image.all('RUN')).toEqual([])
  expect(image.all('COPY')).toEqual([`--from=build ${build.one('WORKDIR')}/image /`])
})

test('nothing reaches the build but manifests and the sources of packages', () => {
  expect(build.all('COPY')).toEqual(['. .'])
  const files = context()
  expect(files).toEqual(expect.arrayContaining(['pnpm-lock.yaml', 'packages/core/src/index.ts']))
  const wanted =
    /^(package\.json|pnpm-\S+\.yaml|tsconfig\.base\.json|(brokers|trials)\/package\.json|packages\/[^/]+\/((src|bin|demo)\/.*|[^/]+))$/
  expect(files.filter((file) => !wanted.test(file))).toEqual([])
})

describe('what the commands of the Dockerfile make in a copy of the repository', () => {
  const copy = mkdtempSync(join(tmpdir(), 'asbru-image-'))
  const layout = join(copy, 'image')

  beforeAll(async () => {
    for (const file of context()) cpSync(join(root, file), join(copy, file))
    for (const command of build.all('RUN')) {
      await runFile('/bin/sh', ['-c', command], { cwd: copy, maxBuffer: Infinity })
    }
  }, 180_000)

  afterAll(() => rmSync(copy, { recursive: true, force: true, maxRetries: 5 }))

  test('has every driver, and nothing that is native or for development only', () => {
    const { dependencies, devDependencies } = manifest('packages/server')
    const modules = join(layout, 'app/node_modules')
    const names = globSync(['*', '@*/*'], { cwd: modules }).filter((name) => !/^@[^/]+$/.test(name))
    expect(names.toSorted()).toEqual(Object.keys(dependencies).toSorted())
    expect(Object.keys(devDependencies)).not.toHaveLength(0)
    expect(globSync('**/*.node', { cwd: layout })).toEqual([])
    expect(
      globSync('app/node_modules/.pnpm/{typescript,vitest,oxlint}@*', { cwd: layout }),
    ).toEqual([])
  })

  test.each(driversOf(manifest('packages/server').dependencies))(
    'imports %s with the client of its broker',
    async (name) => {
      const script = `import(${JSON.stringify(name)}).then((all) => console.log(Object.keys(all)))`
      const { stdout } = await runFile(process.execPath, ['-e', script], {
        cwd: join(layout, 'app'),
      })
      expect(stdout).toMatch(/\w+Driver/)
    },
  )

  test('has the versions of the lockfile', () => {
    const lock = readFileSync(`${root}pnpm-lock.yaml`, 'utf8')
    const installed = globSync('*@*', { cwd: join(layout, 'app/node_modules/.pnpm') })
      .map((dir) => dir.split('_')[0]!.replace('+', '/'))
      .filter((name) => !name.includes('@file') && !name.startsWith('@asbru/'))
    expect(installed).not.toEqual([])
    expect(
      installed.filter((name) => !lock.includes(`${name}:`) && !lock.includes(`'${name}':`)),
    ).toEqual([])
  })

  test('serves without writing a file, answers its health check, and drains at the stop signal', async () => {
    const { child, api } = await start(layout)
    const environment = { ASBRU_INTERNAL_PORT: new URL(api).port }
    expect(await healthCheck(environment)).toBe(0)
    const metrics = await fetch(new URL('/metrics', api))
    expect(metrics.status).toBe(200)
    child.kill(image.one('STOPSIGNAL') as NodeJS.Signals)
    await once(child, 'exit')
    expect(child.exitCode).toBe(0)
    expect(await healthCheck(environment)).toBe(1)
  })

  test('fails where it is told to write, by the same means', async () => {
    const file = join(copy, 'written')
    const script = `require('fs').writeFileSync(${JSON.stringify(file)}, '')`
    const written = runFile(process.execPath, ['-e', script], { env: readOnly(layout) })
    await expect(written).rejects.toThrow('ERR_ACCESS_DENIED')
  })
})

/** The files that the build may copy. */
function context(): string[] {
  const ignored = dockerignore.default().add(readFileSync(`${root}.dockerignore`, 'utf8'))
  // These folders are large, and the ignored first of all.
  return globSync('**/*', { cwd: root, exclude: ['**/node_modules', '.git'], withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((file) => !ignored.ignores(file))
}

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
}

function manifest(dir: string): Manifest {
  return JSON.parse(readFileSync(`${root}${dir}/package.json`, 'utf8')) as Manifest
}

function driversOf(dependencies: Manifest['dependencies']): string[] {
  return Object.keys(dependencies).filter((name) => name.startsWith('@asbru/driver-'))
}

/** The image's environment, for a Node.js that may read everything and write nothing. */
function readOnly(layout: string): NodeJS.ProcessEnv {
  const path = `${layout}/usr/local/bin:${process.execPath.replace(/\/node$/, '')}:/usr/bin:/bin`
  return {
    ...image.environment,
    PATH: path,
    NODE_OPTIONS: '--permission --allow-fs-read=*',
  }
}

/** Starts the entry point with the image's command on free ports, and resolves once it serves. */
async function start(layout: string): Promise<{ child: ChildProcess; api: string }> {
  const [command, ...args] = [...image.list('ENTRYPOINT'), ...image.list('CMD')]
  const env = {
    ...readOnly(layout),
    ASBRU_PORT: '0',
    ASBRU_INTERNAL_PORT: '0',
    ASBRU_DRAIN_MS: '0',
  }
  const child = spawn(command!, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  for await (const line of createInterface({ input: child.stdout })) {
    const { listening } = JSON.parse(line) as { listening: { api: string } }
    return { child, api: listening.api }
  }
  throw new Error(`asbru ended with ${child.exitCode} before it served`)
}

async function healthCheck(environment: NodeJS.ProcessEnv): Promise<number | null> {
  const [command, ...args] = image.list('HEALTHCHECK')
  const child = spawn(command!, args, { env: { PATH: process.env['PATH'], ...environment } })
  await once(child, 'exit')
  return child.exitCode
}
