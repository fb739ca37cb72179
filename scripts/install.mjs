/**
 * Brings node_modules in step with the lockfile, on a machine that has Node.js >= 20 and npm only.
 * Runs before anything is installed, so it may import nothing but Node.js itself.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mustRun, path, root } from './run.mjs'

/** Type stripping is on by default from here. */
const oldestNode = [22, 18]

/** Installs what the lockfile names; returns at once when that is what node_modules holds. */
export async function install() {
  if (!isInstalled()) {
    const { devDependencies } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'))
    const pnpm = `pnpm@${devDependencies.pnpm}`
    await mustRun('npx', ['--yes', pnpm, 'install', '--frozen-lockfile'])
  }
  requireNode()
}

function isInstalled() {
  // pnpm keeps a copy of the lockfile that it installed last.
  const installed = `${root}node_modules/.pnpm/lock.yaml`
  return (
    existsSync(installed) &&
    existsSync(`${root}node_modules/.bin/node`) &&
    readFileSync(installed).equals(readFileSync(`${root}pnpm-lock.yaml`))
  )
}

/** The pinned Node.js is optional, as it is not published for every platform. */
function requireNode() {
  const env = { ...process.env, PATH: path }
  const version = execFileSync('node', ['--version'], { env, encoding: 'utf8' }).trim()
  const [major = 0, minor = 0] = version.slice(1).split('.').map(Number)
  const [oldestMajor = 0, oldestMinor = 0] = oldestNode
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return
  console.error(
    `No Node.js ${oldestNode.join('.')} or newer: npm has none for this platform ` +
      `(${process.platform} ${process.arch}), and yours is ${version}`,
  )
  process.exit(1)
}
