import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

interface Manifest {
  name: string
  version: string
  private?: boolean
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const bin = `${root}node_modules/.bin`
const runFile = promisify(execFile)
const manifests = readdirSync(`${root}packages`)
  .map((dir) => JSON.parse(readFileSync(`${root}packages/${dir}/package.json`, 'utf8')) as Manifest)
  .filter((manifest) => manifest.private !== true)

describe('the packed packages, installed by npm in an empty project', () => {
  const project = mkdtempSync(`${tmpdir()}/asbru-packages-`)

  beforeAll(async () => {
    await runFile(`${bin}/tsc`, ['-b', 'tsconfig.build.json'], { cwd: root })
    await installTarballs(project)
  }, 120_000)

  afterAll(() => rmSync(project, { recursive: true }))

  test.each(manifests)('$name is imported', async ({ name }) => {
    const script = `console.log(Object.keys(await import('${name}')).length)`
    const { stdout } = await runFile(`${bin}/node`, ['--input-type=module', '-e', script], {
      cwd: project,
    })
    expect(Number(stdout)).toBeGreaterThan(0)
  })

  test('npx asbru --version prints the version', async () => {
    const { stdout } = await runFile('npx', ['asbru', '--version'], { cwd: project })
    const server = manifests.find(({ name }) => name === '@asbru/server')
    expect(stdout.trim()).toBe(server?.version)
  })
})

/** Every package is a tarball, also where one depends on another; all else is from the registry. */
async function installTarballs(project: string) {
  const packages = ['--recursive', '--filter', './packages/*']
  await runFile(`${bin}/pnpm`, [...packages, 'pack', '--pack-destination', project], { cwd: root })
  const tarballs = Object.fromEntries(
    manifests.map(({ name, version }) => {
      return [name, `file:${name.slice(1).replace('/', '-')}-${version}.tgz`]
    }),
  )
  const manifest = { private: true, dependencies: tarballs, overrides: tarballs }
  writeFileSync(`${project}/package.json`, JSON.stringify(manifest))
  await runFile('npm', ['install', '--no-audit', '--no-fund'], { cwd: project })
}
